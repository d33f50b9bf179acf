"""What needs AWS credentials: API keys, uploads of data sets, and MLflow behind IAM.

The rest of `mlops_client` uses the HTTP API only. Only the commands that need this package import it, when they run.
boto3 is the extra `aws`.
"""
