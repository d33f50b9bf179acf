"""The version, the same as the platform's; a test holds them equal."""

__version__ = "0.1.0"
