"""Compare predictions with the reference, hourly and on request."""
