"""The rules of pinning, pure: values and a ``now`` in, values out; no socket, file, clock, log or global."""
