"""Telling people: a message from an event, mail and webhook to carry it, and the relay that empties the outbox."""
