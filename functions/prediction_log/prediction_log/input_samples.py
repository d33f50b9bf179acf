"""Store sampled inputs (predict's SAMPLE_SHARE) in S3, where a lifecycle rule of the bucket removes them later."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

PREFIX = "samples/"
FIELDS = ("model_name", "model_version", "stage", "n", "features", "dtype", "inputs", "predictions")


@dataclass(frozen=True)
class Sample:
    """A line that holds the inputs of a request. `folder` is the model's name and version: `digits/3`."""

    folder: str
    hour: str
    line_id: str
    fields: Mapping[str, Any]


def is_sample(line: Mapping[str, Any]) -> bool:
    return line.get("kind") == "sample"


def store(sample: Sample) -> None:
    """Store one sample. Its key contains the line's id, so a repeated delivery writes the same object."""
    body = json.dumps({name: sample.fields[name] for name in FIELDS if name in sample.fields})
    key = f"{PREFIX}{sample.folder}/{sample.hour}/{sample.line_id}.json"
    _s3().put_object(Bucket=os.environ["ARTIFACT_BUCKET"], Key=key, Body=body.encode(), ContentType="application/json")


@cache
def _s3() -> Any:
    return boto3.client("s3")
