"""Measurements, each printed as a ratio of two things done side by side in one run; see ``make bench``."""
