"""Deploys the platform to AWS: what `make deploy`, `make destroy` and `make smoke` run."""
