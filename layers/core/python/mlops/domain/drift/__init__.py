"""Drift of predictions: counts, distances between distributions, verdicts."""
