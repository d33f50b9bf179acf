"""Webhooks: who is told of what, and the messages for them."""
