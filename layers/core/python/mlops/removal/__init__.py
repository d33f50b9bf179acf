"""Put versions and models into the bin and take them out, for the API and for the weekly cleanup."""
