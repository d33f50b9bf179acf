"""Sampled inputs (predict's SAMPLE_SHARE) on their way to S3, where the bucket's lifecycle removes them again."""

import json
import os
from collections.abc import Mapping
from functools import cache
from typing import Any

import boto3

PREFIX = "samples/"
FIELDS = ("model_name", "model_version", "stage", "n", "features", "dtype", "inputs", "predictions")


def is_sample(line: Mapping[str, Any]) -> bool:
    return line.get("kind") == "sample"


def store(model: str, hour: str, line_id: str, line: Mapping[str, Any]) -> None:
    """Keep one line. Its key is its own id, so a delivery that comes again writes the same object."""
    body = json.dumps({name: line[name] for name in FIELDS if name in line})
    key = f"{PREFIX}{model}/{hour}/{line_id}.json"
    _s3().put_object(Bucket=os.environ["ARTIFACT_BUCKET"], Key=key, Body=body.encode(), ContentType="application/json")


@cache
def _s3() -> Any:
    return boto3.client("s3")
