"""Addresses of artifacts in MLflow."""

from urllib.parse import urlsplit

ELSEWHERE = "The version's files are not in the platform's bucket: log the model through this MLflow"
"""What is said of a version without a `logged_folder`."""


def logged_folder(uri: str, bucket: str) -> str | None:
    """Return the prefix of artifacts in the platform's bucket; None if `uri` is elsewhere, or not below `mlflow/`."""
    place = urlsplit(uri)
    if place.scheme != "s3" or place.netloc != bucket or not place.path.startswith("/mlflow/"):
        return None
    return place.path.strip("/") + "/"
