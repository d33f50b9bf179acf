"""Addresses of artifacts in MLflow."""

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

ELSEWHERE = "The version's files are not in the platform's bucket: log the model through this MLflow"
"""What is said of a version without a `logged_folder`."""

RUN_ID = r"[0-9a-f]{32}"
_RUN_FOLDER = re.compile(rf"mlflow/[0-9]+/{RUN_ID}/artifacts/")


def logged_folder(uri: str, bucket: str) -> str | None:
    """Return the prefix of artifacts in the platform's bucket; None if `uri` is elsewhere, or not below `mlflow/`."""
    place = urlsplit(uri)
    if place.scheme != "s3" or place.netloc != bucket or not place.path.startswith("/mlflow/"):
        return None
    return place.path.strip("/") + "/"


def run_folder(run: Mapping[str, Any], bucket: str) -> str | None:
    """Return the prefix of a run's artifacts, if it is of MLflow's own form and names this run.

    Args:
        run: What MLflow knows of the run (`info`).
        bucket: The platform's bucket.
    """
    folder = logged_folder(run.get("artifact_uri", ""), bucket) or ""
    is_own = _RUN_FOLDER.fullmatch(folder) and folder.split("/")[2] == run["run_id"]
    return folder if is_own else None
