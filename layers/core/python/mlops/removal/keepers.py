"""Why versions cannot be deleted: they serve, something is under way with them, or a rollback can bring them back."""

from collections import defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from mlops.aws.batch_predictions_table import BatchPredictionsTable
from mlops.aws.conversions_table import ConversionsTable
from mlops.aws.rollout_files import RolloutFiles
from mlops.aws.rollouts_table import RolloutsTable
from mlops.aws.serving_bucket import ServedModels, UnreadableManifest
from mlops.aws.transitions_table import TransitionsTable
from mlops.domain.conversion import ConversionStatus
from mlops.domain.model_name import is_servable
from mlops.domain.rollback_window import protected_until
from mlops.domain.stages import ALIASES, Stage
from mlops.domain.transition import Transition
from mlops.registry.rest import RegisteredModel

Reason = tuple[int, str]
"""A version, and why it cannot be deleted."""


@dataclass(frozen=True)
class Keepers:
    """Asks all that can name a version."""

    transitions: TransitionsTable
    rollouts: RolloutsTable
    rollout_files: RolloutFiles
    served: ServedModels
    batches: BatchPredictionsTable
    conversions: ConversionsTable

    @classmethod
    def from_environment(cls) -> "Keepers":
        return cls(
            TransitionsTable.from_environment(),
            RolloutsTable.from_environment(),
            RolloutFiles.from_environment(),
            ServedModels.from_environment(),
            BatchPredictionsTable.from_environment(),
            ConversionsTable.from_environment(),
        )

    def reasons(
        self, model: RegisteredModel, versions: Collection[int], *, rollbacks: bool = True
    ) -> dict[int, list[str]]:
        """Return why each of the versions cannot be deleted; those that can are left out.

        Args:
            model: The model, with its aliases as they are now.
            versions: Its versions that are to be deleted.
            rollbacks: Whether what a rollback can bring back is kept.

        Raises:
            DependencyUnavailable: A service does not answer.
        """
        found: dict[int, list[str]] = defaultdict(list)
        for number, reason in self._all(model, versions, rollbacks):
            if number in versions and reason not in found[number]:
                found[number].append(reason)
        return {number: found[number] for number in sorted(found) if found[number]}

    def _all(self, model: RegisteredModel, versions: Collection[int], rollbacks: bool) -> Iterator[Reason]:
        for alias, number in model.aliases.items():
            yield number, f"has the alias {alias}: move another version there, or archive it first"
        transitions = self.transitions.all_of(model.name)
        yield from _under_way(transitions)
        if rollbacks:
            for number, until in protected_until(transitions, model.holder(Stage.PRODUCTION)).items():
                yield number, f"can be brought back by a rollback until {until}: with force it is deleted all the same"
        if is_servable(model.name):
            yield from self._serving(model.name)
        for number in versions:
            conversion = self.conversions.get(model.name, number)
            if conversion is not None and conversion.status is ConversionStatus.RUNNING:
                yield number, "is being converted: wait for the end"
        for batch in self.batches.under_way():
            if batch.model_name == model.name:
                yield batch.model_version, f"answers the batch prediction {batch.batch_id}: wait for its end"

    def _serving(self, name: str) -> Iterator[Reason]:
        """Yield what predict may answer with, whatever MLflow says."""
        for stage in ALIASES:
            try:
                manifest = self.served.find(name, stage)
            except UnreadableManifest:
                continue  # predict may have loaded the version with the alias, which is kept anyhow
            if manifest is not None:
                yield manifest.model_version, f"serves {stage}: archive it first"
        rollout = self.rollouts.open_of(name)
        if rollout is not None:
            remedy = f"is part of the rollout {rollout.rollout_id}: abort it, or wait for its end"
            yield from ((rollout.version, remedy), (rollout.champion, remedy))
        stored = self.rollout_files.read(name)
        if stored is not None and stored.live is not None:
            remedy = f"is part of the rollout {stored.live.id}, which predict still follows: wait for some minutes"
            yield from ((stored.live.version, remedy), (stored.live.champion, remedy))


def _under_way(transitions: Collection[Transition]) -> Iterator[Reason]:
    for transition in transitions:
        if not transition.status.has_ended:
            remedy = f"is moved by the transition {transition.transition_id}: wait for its end, or reject it"
            yield transition.version, remedy
            if transition.replaced_version is not None:
                yield transition.replaced_version, remedy
