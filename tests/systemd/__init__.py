"""Tests of the service manager's protocol and the unit."""
