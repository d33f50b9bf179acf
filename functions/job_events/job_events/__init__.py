"""Follows AWS Batch's job state changes."""
