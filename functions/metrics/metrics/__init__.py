"""Metrics of the platform, for Prometheus and CloudWatch."""
