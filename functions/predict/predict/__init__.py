"""Answers from the model in Production. Imports neither FastAPI nor MLflow nor the AWS SDK."""
