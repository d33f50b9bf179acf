"""AWS Batch for the local AWS: the service's API, with jobs that are real processes."""
