"""Models whose manifests, tags or MLflow stages differ from the aliases. Promotion, the only writer, mends them."""

import os
from collections import defaultdict
from typing import Any

import boto3
from aws_lambda_powertools import Logger

from mlops.aws.promotion_queue import PromotionQueue, mend_message
from mlops.aws.transitions_table import TransitionsTable, new_transition_id
from mlops.domain.manifest import SERVING_PREFIX, Manifest, ManifestError
from mlops.domain.stages import ALIASES, Stage
from mlops.registry.rest import RegisteredModel, Tracking

logger = Logger(child=True)
STAGES = {str(stage): stage for stage in ALIASES}


class DriftedModels:
    def __init__(self, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue, bucket: str) -> None:
        self._tracking, self._transitions, self._queue, self._bucket = tracking, transitions, queue, bucket
        self._s3 = boto3.client("s3")

    @classmethod
    def from_environment(cls) -> "DriftedModels":
        return cls(
            Tracking.from_environment(),
            TransitionsTable.from_environment(),
            PromotionQueue.from_environment(),
            os.environ["ARTIFACT_BUCKET"],
        )

    def look(self) -> list[str]:
        """Ask promotion to mend what differs; returns the models' names.

        What is read here may be a move half done. So a model with an open transition is passed over, and promotion
        looks again before it changes anything.
        """
        served = self._served()
        models = {model.name: model for model in self._tracking.models()}
        models |= {name: RegisteredModel(name, {}) for name in served.keys() - models.keys()}
        differing = {name for name, model in models.items() if self._aliases(model) != served.get(name, {})}
        differing |= self._mirrored_wrongly(models)
        busy = {item["model_name"] for item in self._transitions.still_open()}
        due = sorted(differing - busy)
        for name in due:
            self._queue.send(mend_message(name, new_transition_id()))
        return due

    def _mirrored_wrongly(self, models: dict[str, RegisteredModel]) -> set[str]:
        return {
            version.model_name
            for version in self._tracking.versions()
            if version.model_name in models and not version.mirrors(models[version.model_name].stage_of(version))
        }

    @staticmethod
    def _aliases(model: RegisteredModel) -> dict[Stage, int]:
        return {stage: version for stage in ALIASES if (version := model.holder(stage)) is not None}

    def _served(self) -> dict[str, dict[Stage, int]]:
        """What the manifests say, by model; a manifest that cannot be read stands for version 0, which nobody holds."""
        found: dict[str, dict[Stage, int]] = defaultdict(dict)
        for key in self._manifest_keys():
            name, stage = key.removeprefix(SERVING_PREFIX).removesuffix(".json").rsplit("/", 1)
            answer = self._get(key)
            if stage in STAGES and answer is not None:
                found[name][STAGES[stage]] = answer
        return dict(found)

    def _manifest_keys(self) -> list[str]:
        pages = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=SERVING_PREFIX)
        keys: list[str] = [item["Key"] for page in pages for item in page.get("Contents", [])]
        return [key for key in keys if key.endswith(".json") and key.count("/") == 2]

    def _get(self, key: str) -> int | None:
        try:
            answer: dict[str, Any] = self._s3.get_object(Bucket=self._bucket, Key=key)
        except self._s3.exceptions.NoSuchKey:  # removed since it was listed
            return None
        try:
            return Manifest.from_json(answer["Body"].read()).model_version
        except ManifestError as error:
            logger.warning("manifest unreadable", key=key, reason=str(error))
            return 0
