"""The embedded local stack: the deployed template, without an AWS account or Docker."""
