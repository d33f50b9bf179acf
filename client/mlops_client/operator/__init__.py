"""What operators do with their own AWS credentials: API keys, data sets, and MLflow behind IAM.

The rest of `mlops_client` knows the HTTP API only and never imports this package; its commands do, when they are run.
boto3 is the extra `aws`.
"""
