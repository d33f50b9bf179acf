"""People sign in, and get a personal API key for some hours."""
