"""Tests of ``monitord.replay``: stories, how they are read, played and reckoned."""
