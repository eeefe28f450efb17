"""Tests of the door for commands."""
