"""Start, follow and cancel batch predictions."""
