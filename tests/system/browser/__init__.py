"""The pages in a real browser, driven by a program in an environment of its own."""
