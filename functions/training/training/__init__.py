"""Starts, lists and cancels training jobs and sweeps."""
