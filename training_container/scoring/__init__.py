"""Score one shard of a batch prediction: `python -m scoring`, as AWS Batch starts it."""
