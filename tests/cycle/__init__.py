"""Tests of a round."""
