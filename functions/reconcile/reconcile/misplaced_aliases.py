"""Models whose manifests, tags or MLflow stages differ from the aliases, or whose files are to be examined again.

Promotion, the only writer, repairs and examines them.
"""

from collections import defaultdict
from dataclasses import dataclass, field

from aws_lambda_powertools import Logger

from mlops.aws.promotion_queue import PromotionQueue, repair_message
from mlops.aws.serving_bucket import ServedModels
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.examination import is_due
from mlops.domain.manifest import ManifestError
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import new_transition_id
from mlops.registry.rest import RegisteredModel, Tracking
from reconcile.failures import Failures

logger = Logger(child=True)
UNREADABLE = 0
"""Stands for the version in a manifest that cannot be read. No alias names it."""


@dataclass
class _Served:
    """What the manifests say.

    Attributes:
        versions: The version of each manifest, by model and stage.
        due: The models with a file that is to be examined again.
        unknown: The models for which S3 did not answer.
    """

    versions: dict[str, dict[Stage, int]] = field(default_factory=lambda: defaultdict(dict))
    due: set[str] = field(default_factory=set)
    unknown: set[str] = field(default_factory=set)


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
        """Ask promotion to repair the models that differ or are due for an examination, and return their names.

        A transition in progress causes differences too. So models with an open transition are left out, and promotion
        checks again before it changes anything.

        Raises:
            ExceptionGroup: At the end, if S3 did not answer for some models, which are left out.
        """
        failures = Failures()
        served = self._served(failures)
        models = {model.name: model for model in self._tracking.models()}
        models |= {name: RegisteredModel(name, {}) for name in served.versions.keys() - models.keys()}
        differing = {name for name, model in models.items() if self._aliases(model) != served.versions.get(name, {})}
        differing |= self._mirrored_wrongly(models)
        busy = {entry.model_name for entry in self._transitions.still_open() if not entry.status.waits}
        asked = []
        for name in sorted((differing | served.due) - busy - served.unknown):
            with failures.isolated(name):
                self._queue.send(repair_message(name, new_transition_id()))
                asked.append(name)
        failures.raise_all()
        return asked

    def _mirrored_wrongly(self, models: dict[str, RegisteredModel]) -> set[str]:
        return {
            version.model_name
            for version in self._tracking.versions()
            if version.model_name in models and not version.mirrors(models[version.model_name].stage_of(version))
        }

    @staticmethod
    def _aliases(model: RegisteredModel) -> dict[Stage, int]:
        return {stage: version for stage in ALIASES if (version := model.holder(stage)) is not None}

    def _served(self, failures: Failures) -> _Served:
        served = _Served()
        for entry in self._manifests.read_all(self._manifests.written()):
            if entry.manifest is not None:
                served.versions[entry.model_name][entry.stage] = entry.manifest.model_version
                if is_due(entry.manifest):
                    served.due.add(entry.model_name)
            elif isinstance(entry.error, ManifestError):
                logger.warning(
                    "manifest unreadable", model=entry.model_name, stage=entry.stage, reason=str(entry.error)
                )
                served.versions[entry.model_name][entry.stage] = UNREADABLE
            elif entry.error is not None:
                served.unknown.add(entry.model_name)
                failures.add(entry.model_name, entry.error)
        return served
