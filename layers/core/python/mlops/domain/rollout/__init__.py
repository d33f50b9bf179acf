"""Rollouts: a new version answers in the shadow of Production first, then for a growing share of the callers."""
