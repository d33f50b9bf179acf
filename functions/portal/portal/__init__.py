"""Health, documentation and the web console."""
