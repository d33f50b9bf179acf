"""MLflow for the functions: its REST API for writes, its database for reads."""
