"""Accept transitions, rollbacks and conversions, and show their outcome."""
