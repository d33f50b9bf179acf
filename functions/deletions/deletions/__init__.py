"""The API of what is deleted and restored."""
