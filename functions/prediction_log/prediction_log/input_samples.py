"""Store sampled inputs (predict's SAMPLE_SHARE) in S3, where a lifecycle rule of the bucket removes them later."""

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import boto3

from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.deleted_predictions import DeletedPredictions, samples_of

PREFIX = "samples/"
FIELDS = ("model_name", "model_version", "stage", "n", "features", "dtype", "inputs", "predictions")


@dataclass(frozen=True)
class Sample:
    """A line that holds the inputs of a request."""

    model_name: str
    version: int
    hour: str
    line_id: str
    fields: Mapping[str, Any]

    @property
    def key(self) -> str:
        return f"{PREFIX}{self.model_name}/{self.version}/{self.hour}/{self.line_id}.json"


def is_sample(line: Mapping[str, Any]) -> bool:
    return line.get("kind") == "sample"


def store(samples: Iterable[Sample], deleted: DeletedPredictions) -> None:
    """Store samples. Those of an hour whose samples were deleted go again at once.

    The key of a sample contains the line's id, so a repeated delivery writes the same object.
    """
    stored = list(samples)
    for sample in stored:
        body = json.dumps({name: sample.fields[name] for name in FIELDS if name in sample.fields})
        _s3().put_object(
            Bucket=os.environ["ARTIFACT_BUCKET"], Key=sample.key, Body=body.encode(), ContentType="application/json"
        )
    for model_name in {sample.model_name for sample in stored}:
        of_model = [sample for sample in stored if sample.model_name == model_name]
        marks = deleted.since(model_name, {samples_of(sample.hour) for sample in of_model})
        if late := [sample.key for sample in of_model if samples_of(sample.hour) in marks]:
            BucketFolders.from_environment().remove(late)


@cache
def _s3() -> Any:
    return boto3.client("s3")
