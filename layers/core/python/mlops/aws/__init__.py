"""Adapters of AWS services, one module a table, queue, bus or bucket."""
