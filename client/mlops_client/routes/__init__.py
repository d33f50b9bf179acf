"""The routes of the API by subject. `Client` has all of them."""
