"""Repairs on a schedule what messages, events and people left undone."""
