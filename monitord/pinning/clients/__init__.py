"""How each client library decides: one module for each way to a path, one table of rules."""
