"""Delete what the platform keeps of predictions, by their ids: answers, labels, and sampled inputs.

First the history says that it was asked for, without the ids. Then marks keep out what comes late, and then all is
deleted that is there. Each step can be repeated, so if the process dies, the same request completes it.
"""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from deletions.settings import DeletionSettings
from mlops.api.schemas.prediction_deletions import (
    PredictionDeletion,
    PredictionDeletionRequest,
    PredictionIds,
    Remaining,
)
from mlops.aws.bucket_folders import BucketFolders
from mlops.aws.deleted_predictions import name_of, samples_of
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.label_place import LabelPlace
from mlops.aws.model_history import ModelHistory
from mlops.aws.stats_table import hour_of
from mlops.domain.access import Caller
from mlops.domain.errors import ValidationFailed
from mlops.domain.feedback.batch_row import asked_at, batch_row
from mlops.domain.feedback.own_id import hashed
from mlops.domain.feedback.prediction_id import Malformed, parse
from mlops.domain.history import DELETION
from mlops.domain.ids import sortable_id
from mlops.registry.removals import Removals

SECONDS = 18.0
"""Of the 29 that API Gateway waits. Ids after that are left."""
SAMPLES = "samples/"
_AROUND_SECONDS = 60
"""A sample's line is written in the same request as the id is made."""
_RECOVERY_DAYS, _DEAD_LETTER_DAYS, _REFUSED_DAYS = 35, 14, 30


@dataclass(frozen=True)
class PredictionDeletions:
    """Deletes what is kept of predictions."""

    settings: DeletionSettings
    tracking: Removals
    history: ModelHistory
    feedback: FeedbackTable
    folders: BucketFolders

    @classmethod
    def from_environment(cls) -> "PredictionDeletions":
        return cls(
            DeletionSettings.from_environment(),
            Removals.from_environment(),
            ModelHistory.from_environment(),
            FeedbackTable.from_environment(),
            BucketFolders.from_environment(),
        )

    def delete(self, request: PredictionDeletionRequest, caller: Caller) -> PredictionDeletion:
        """Delete what is kept of predictions of a model. Can be repeated.

        Raises:
            NotFound: There is no such model.
            ValidationFailed: predict makes no such id.
            DependencyUnavailable: A service does not answer.
        """
        until, name = time.monotonic() + SECONDS, request.model_name
        minted = [(id_, _place(name, id_, number)) for number, id_ in enumerate(request.prediction_ids)]
        own = [(id_, LabelPlace(name, hashed(str(id_)), 0, 0)) for id_ in request.ids]
        self._check_model(name)
        said = {"actor": caller.name, "owner": caller.owner, "reason": request.reason}
        detail = {"predictions": len(minted) + len(own), **said}
        self.history.append(name, DELETION, sortable_id("deletion_"), detail)
        hours = {hour for id_, place in minted if batch_row(id_) is None for hour in _hours(place)}
        marks = [*(name_of(place) for _, place in (*minted, *own)), *map(samples_of, hours)]
        self.feedback.deleted.mark(name, marks, int(time.time()))
        removed = Counter(answers=0, labels=0, sample_hours=self._delete_samples(name, hours))
        left, not_found = PredictionIds(), PredictionIds()
        for id_, place in minted:
            self._delete(place, removed, until, id_, left.prediction_ids, not_found.prediction_ids)
        for own_id, place in own:
            self._delete(place, removed, until, own_id, left.ids, not_found.ids)
        remaining = [Remaining(place=place, days=days) for place, days in self._places()]
        return PredictionDeletion(model_name=name, removed=removed, not_found=not_found, left=left, remaining=remaining)

    def _delete(
        self, place: LabelPlace, removed: Counter[str], until: float, id_: Any, left: list[Any], not_found: list[Any]
    ) -> None:
        if time.monotonic() > until:
            left.append(id_)
        elif found := self.feedback.kept.delete(place):
            removed.update(found)
        else:
            not_found.append(id_)

    def _check_model(self, name: str) -> None:
        """Check that the name is not just mistyped: the model, or at least a history of it, must be there."""
        if self.history.governance.head(name) is None:
            self.tracking.model(name)

    def _delete_samples(self, model_name: str, hours: set[str]) -> int:
        """Delete all sampled inputs of some hours, and return how many folders of an hour there were."""
        versions = self.folders.within(f"{SAMPLES}{model_name}/") if hours else []
        folders = [hour for version in versions for hour in self.folders.within(version)]
        found = [folder for folder in folders if folder.rstrip("/").rpartition("/")[2] in hours]
        self.folders.remove(found)
        return len(found)

    def _places(self) -> Iterator[tuple[str, int]]:
        yield "lines of predict's log", self.settings.log_retention_days
        yield "backups of the tables from which AWS can restore a point in time", _RECOVERY_DAYS
        yield "deliveries of the log that could not be counted, in the queue of dead letters", _DEAD_LETTER_DAYS
        yield "files of labels that an import has refused", _REFUSED_DAYS


def _place(model_name: str, id_: str, number: int) -> LabelPlace:
    """Return where something of a prediction may be. Raises ValidationFailed: predict makes no such id."""
    if (row := batch_row(id_)) is not None:
        return LabelPlace(model_name, id_, 0, asked_at(row.batch_id))
    try:
        return LabelPlace(model_name, id_, 0, parse(id_).seconds)
    except Malformed as error:
        raise ValidationFailed.of_field(
            f"prediction_ids.{number}", f"{error}; ids that you have sent with rows belong into ids"
        ) from None


def _hours(place: LabelPlace) -> set[str]:
    """Return the hours in which the inputs of a request may have been sampled."""
    return {hour_of(place.made - _AROUND_SECONDS), hour_of(place.made + _AROUND_SECONDS)}
