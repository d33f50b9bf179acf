"""Compares what was predicted with the reference, hourly and on request."""
