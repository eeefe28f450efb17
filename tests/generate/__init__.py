"""Tests of the generated files."""
