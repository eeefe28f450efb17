"""Endpoints out of lists that others keep: files and servers in the forms of Prometheus's service discovery."""
