"""Tests of the clients' pin files."""
