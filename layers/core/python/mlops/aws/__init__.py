"""Adapters of AWS services, one module per table, queue, bus or bucket."""
