"""What monitord remembers: endpoints' history, incidents and the outbox, in one database."""
