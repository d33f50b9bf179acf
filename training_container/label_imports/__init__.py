"""Import labels: `python -m label_imports`, as AWS Batch starts it."""
