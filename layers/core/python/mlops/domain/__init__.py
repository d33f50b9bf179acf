"""What the platform is about: pure rules and types that know nothing of AWS, HTTP or MLflow."""
