"""The HTTP side of a function: handler, authorisation, error bodies, idempotency, schemas."""
