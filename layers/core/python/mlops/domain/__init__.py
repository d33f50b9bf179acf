"""The platform's rules and types, without AWS, HTTP and MLflow."""
