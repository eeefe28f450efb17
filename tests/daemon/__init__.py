"""Tests of the daemon as a process, on real servers."""
