"""Tests of the discovery of endpoints."""
