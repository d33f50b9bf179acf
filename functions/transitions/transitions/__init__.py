"""Accept transitions and rollbacks, and show their outcome."""
