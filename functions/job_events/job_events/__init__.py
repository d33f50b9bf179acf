"""Follow the state changes of AWS Batch's jobs."""
