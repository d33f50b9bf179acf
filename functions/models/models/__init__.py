"""Registered models, their versions and their history."""
