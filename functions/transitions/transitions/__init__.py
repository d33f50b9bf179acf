"""Accepts transitions and rollbacks, and shows how they stand."""
