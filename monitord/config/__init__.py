"""The configuration: what the user wrote, as checked values."""
