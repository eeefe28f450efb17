"""The HTTP listener: metrics, health, and a page that links to them."""
