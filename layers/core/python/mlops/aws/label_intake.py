"""Take labels: find the prediction that each belongs to, and count it."""

import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache

from mlops.aws.feedback_settings import FeedbackSettings
from mlops.aws.feedback_table import FeedbackTable
from mlops.aws.known_labels import KnownLabels
from mlops.aws.label_place import LabelPlace
from mlops.aws.serving_bucket import ServedModels, UnreadableManifest
from mlops.domain.errors import Conflict, DependencyUnavailable, Gone, NotFound, PlatformError, ValidationFailed
from mlops.domain.feedback.batch_row import asked_at, asked_in, batch_row
from mlops.domain.feedback.given_label import GivenLabel
from mlops.domain.feedback.giving import AnswersExpired, DifferentLabel, NoSuchRow, PredictionDeleted, Status, Taken
from mlops.domain.feedback.kept_answers import KeptAnswers, UnknownLabel
from mlops.domain.feedback.own_id import hashed
from mlops.domain.feedback.prediction_id import Malformed, parse

_DAY = 24 * 3600


class LabelConflict(Conflict):
    code, title = "label_conflict", "The prediction has another label"


class LabelIntake:
    """Takes the labels of one table. `days` is how long answers wait for labels."""

    def __init__(self, table: FeedbackTable, known: KnownLabels, days: int) -> None:
        self._table, self._known, self._days = table, known, days

    @classmethod
    def from_environment(cls) -> "LabelIntake":
        return _intake()

    def take(self, model_name: str, label: GivenLabel, actor: str) -> Status:
        """Take one label, which the key of the name `actor` gives.

        Raises:
            NotFound: predict makes no such id.
            Gone: The prediction is too old, or what was kept of it was deleted.
            LabelConflict: The prediction has another label.
            ValidationFailed: The model cannot answer this label, or the request had no such row.
        """
        place = self._place(model_name, label, time.time())
        if place is None:
            return "not_sampled"
        try:
            given = self._table.give(
                place, label.label, actor, label.observed_at, label.replace, lambda: self._check(model_name, label)
            )
        except DifferentLabel:
            raise LabelConflict(
                "The prediction has another label already; send it with replace: true to change it"
            ) from None
        except UnknownLabel as error:
            raise ValidationFailed.of_field("label", str(error)) from None
        except NoSuchRow as error:
            raise ValidationFailed.of_field(
                "row", f"must be below {error.rows}: the answers of so many rows are kept"
            ) from None
        except AnswersExpired:
            raise self._too_old() from None
        except PredictionDeleted:
            raise Gone("What was kept of the prediction was deleted (POST /predictions/delete)") from None
        except UnreadableManifest as error:
            raise DependencyUnavailable("The manifest of the model cannot be read; try again", 30) from error
        return given.value

    def keep_of_batches(self, model_name: str, answers: Mapping[str, KeptAnswers]) -> None:
        """Keep answers of batch predictions, whose labels are about to come, by their `prediction_id`."""
        places = {_place_of_batch(model_name, prediction_id): kept for prediction_id, kept in answers.items()}
        oldest = time.time() - self._days * _DAY
        self._table.keep({place: kept for place, kept in places.items() if place.made >= oldest})

    def expect_of_batch(self, model_name: str, batch_id: str, version: int, rows: int) -> None:
        """Count the answers of a batch prediction as predictions that wait for labels. Of several calls, one does."""
        self._table.totals.count_kept(model_name, version, asked_in(batch_id), batch_id, rows)

    def take_all(
        self, model_name: str, labels: Sequence[GivenLabel], actor: str, seconds: float = math.inf
    ) -> list[Taken]:
        """Take labels: the simple ones together, then the others one after the other.

        One that is refused does not stop the others. After `seconds` labels are refused, and can be sent again.
        """
        until, taken = time.monotonic() + seconds, []
        together = self._take_new(model_name, labels, actor)
        for number, label in enumerate(labels):
            if number in together:
                taken.append(Taken("counted"))
                continue
            try:
                if time.monotonic() > until:
                    raise DependencyUnavailable("There was no time left for this label; send it again")
                taken.append(Taken(self.take(model_name, label, actor)))
            except PlatformError as error:
                taken.append(Taken("refused", error.code, error.detail))
        return taken

    def _take_new(self, model_name: str, labels: Sequence[GivenLabel], actor: str) -> set[int]:
        """Count what are first labels of known predictions. Returns the numbers of these labels."""
        numbers: dict[LabelPlace, int] = {}
        now = time.time()
        for number, label in enumerate(labels):
            with suppress(PlatformError):  # `take` raises it again
                place = self._place(model_name, label, now)
                if place is not None:
                    numbers.setdefault(place, number)  # the first of several labels of a prediction
        given = {place: labels[number].label for place, number in numbers.items()}
        observed = {place: labels[number].observed_at for place, number in numbers.items()}
        return {numbers[place] for place in self._table.give_new(given, observed, actor)}

    def _check(self, model_name: str, label: GivenLabel) -> None:
        """Check that a label whose answer is not known may wait for it."""
        if batch_row(label.prediction_id) is not None:
            raise NotFound(
                "Labels of batch predictions come in files: POST /feedback/imports compares them with the output. "
                "After that POST /feedback can replace them"
            )
        self._known.check(model_name, label.label)

    def _place(self, model_name: str, label: GivenLabel, now: float) -> LabelPlace | None:
        """Return where the label belongs; None if the prediction was not kept."""
        if label.prediction_id is None:
            return LabelPlace(model_name, hashed(str(label.id)), 0, now)
        if batch_row(label.prediction_id) is not None:
            if label.row:
                raise ValidationFailed.of_field("row", "must be left out: the id of a batch prediction has the row")
            return self._if_kept(_place_of_batch(model_name, label.prediction_id), now)
        try:
            minted = parse(label.prediction_id)
        except Malformed as error:
            raise NotFound(f"There is no prediction of this id: a prediction_id {error}") from None
        if minted.seconds > now + _DAY:
            raise NotFound("There is no prediction of this id: predict has not made it")
        place = self._if_kept(LabelPlace(model_name, minted.text, label.row, minted.seconds), now)
        return place if minted.sampled else None

    def _if_kept(self, place: LabelPlace, now: float) -> LabelPlace:
        if now - place.made > self._days * _DAY:
            raise self._too_old()
        return place

    def _too_old(self) -> Gone:
        return Gone(
            f"The prediction is older than {self._days} days (FeedbackDays), so its answer is not kept any more"
        )


def _place_of_batch(model_name: str, prediction_id: str) -> LabelPlace:
    return LabelPlace(model_name, prediction_id, 0, asked_at(prediction_id))


@cache
def _intake() -> LabelIntake:
    days = FeedbackSettings.from_environment().feedback_days
    return LabelIntake(FeedbackTable.from_environment(), KnownLabels(ServedModels.from_environment()), days)
