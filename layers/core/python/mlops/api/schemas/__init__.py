"""Requests and responses of the HTTP API, one module per subject."""
