"""Requests and responses of the HTTP API, one module a subject."""
