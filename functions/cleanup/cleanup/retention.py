"""Put into the bin what the settings of models say: versions that no rule keeps, and that nothing needs."""

from mlops.aws.model_history import ModelHistory
from mlops.domain.cleanup import Cleanup
from mlops.domain.errors import Conflict, NotFound
from mlops.domain.retention import versions_due
from mlops.registry.removals import Removals
from mlops.removal.deletions import Deletions, Wish
from mlops.removal.keepers import Keepers

ACTOR = "retention"


class Retention:
    """Applies the rules of models."""

    def __init__(self, tracking: Removals, history: ModelHistory, keepers: Keepers, deletions: Deletions) -> None:
        self._tracking, self._history, self._keepers, self._deletions = tracking, history, keepers, deletions

    def models(self) -> list[str]:
        """Return the names of the models that may have rules."""
        return self._history.governance.models_with_settings()

    def apply(self, name: str, cleanup: Cleanup) -> None:
        """Put the versions of a model into the bin that its rules say, and note it in the cleanup.

        Raises:
            DependencyUnavailable: A service does not answer. What is in the bin by then stays there.
        """
        rules = self._history.settings(name).settings.retention
        if rules.keep_versions is None and rules.archived_days is None:
            return
        try:
            model = self._tracking.model(name)
        except NotFound:  # deleted in MLflow
            return
        records = self._history.bin
        present = {
            version.version: version
            for version in self._tracking.versions(name)
            if records.version(name, version.version, version.created_at) is None
        }
        stages = {number: model.stage_of(version) for number, version in present.items()}
        registered = {number: version.created_at for number, version in present.items()}
        due = versions_due(rules, stages, registered, self._history.transitions.all_of(name))
        kept = self._keepers.reasons(model, due) if due else {}
        for number, reason in due.items():
            if number in kept:
                cleanup.kept.append(f"{name}@{number}: {kept[number][0]}")
                continue
            try:
                self._deletions.delete_version(name, number, Wish(ACTOR, "", reason))
            except Conflict as conflict:  # it has begun to be needed meanwhile
                cleanup.kept.append(f"{name}@{number}: {conflict.detail}")
            else:
                cleanup.binned.append(f"{name}@{number}")
