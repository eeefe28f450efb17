"""A real CA with an ACME server and a real client, from PyPI, in an environment of their own."""
