"""The routes of the API by subject; `Client` is all of them together."""
