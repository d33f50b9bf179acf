"""Sends the messages of webhooks to their addresses."""
