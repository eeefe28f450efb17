"""Tests of what a probe sees."""
