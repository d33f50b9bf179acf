"""MLflow, seen from the functions: its REST API for writing, its database for reading."""
