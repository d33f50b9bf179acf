"""Models whose manifests, tags or MLflow stages differ from the aliases. Promotion, the only writer, repairs them."""

from collections import defaultdict

from aws_lambda_powertools import Logger

from mlops.aws.promotion_queue import PromotionQueue, repair_message
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.manifest import ManifestError
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import new_transition_id
from mlops.registry.rest import RegisteredModel, Tracking

logger = Logger(child=True)
UNREADABLE = 0
"""Stands for the version in a manifest that cannot be read; nobody holds it."""


class MisplacedAliases:
    def __init__(
        self, tracking: Tracking, transitions: TransitionsTable, queue: PromotionQueue, manifests: ServedModels
    ) -> None:
        self._tracking, self._transitions, self._queue, self._manifests = tracking, transitions, queue, manifests

    @classmethod
    def from_environment(cls) -> "MisplacedAliases":
        return cls(
            Tracking.from_environment(),
            TransitionsTable.from_environment(),
            PromotionQueue.from_environment(),
            ServedModels.from_environment(),
        )

    def look(self) -> list[str]:
        """Ask promotion to repair what differs; returns the models' names.

        What is read here may be a move half done. So a model with an open transition is passed over, and promotion
        looks again before it changes anything.
        """
        served = self._served()
        models = {model.name: model for model in self._tracking.models()}
        models |= {name: RegisteredModel(name, {}) for name in served.keys() - models.keys()}
        differing = {name for name, model in models.items() if self._aliases(model) != served.get(name, {})}
        differing |= self._mirrored_wrongly(models)
        busy = {transition.model_name for transition in self._transitions.still_open()}
        due = sorted(differing - busy)
        for name in due:
            self._queue.send(repair_message(name, new_transition_id()))
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
        served: dict[str, dict[Stage, int]] = defaultdict(dict)
        for name, stage in self._manifests.written():
            if stage in ALIASES and (version := self._version_served(name, Stage(stage))) is not None:
                served[name][Stage(stage)] = version
        return dict(served)

    def _version_served(self, model_name: str, stage: Stage) -> int | None:
        try:
            manifest = self._manifests.find(model_name, stage)
        except ManifestError as error:
            logger.warning("manifest unreadable", model=model_name, stage=stage, reason=str(error))
            return UNREADABLE
        return manifest.model_version if manifest else None  # removed since it was listed
