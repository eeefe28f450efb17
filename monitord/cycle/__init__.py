"""One round of one endpoint, and what is kept from one to the next."""
