"""Tests of messages, senders and the relay."""
