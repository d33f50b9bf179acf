"""Carries out transitions: gates, files, aliases, manifests."""
