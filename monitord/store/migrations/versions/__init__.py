"""One module a schema revision; a released one is never changed."""
