"""Pins as the client libraries' own files spell them: one module a format."""
