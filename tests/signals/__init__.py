"""Sources of signals, against real servers on loopback."""
