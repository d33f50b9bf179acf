"""Take labels: find the prediction that each belongs to, and count it."""

import time
from contextlib import suppress
from functools import cache, partial

from feedback.known_labels import KnownLabels
from feedback.settings import LabelSettings
from mlops.api.schemas.feedback import FeedbackAccepted, FeedbackBatchResult, FeedbackResult, Label
from mlops.aws.feedback_table import FeedbackTable, LabelPlace
from mlops.aws.serving_bucket import ServedModels, UnreadableManifest
from mlops.domain.errors import Conflict, DependencyUnavailable, Gone, NotFound, PlatformError, ValidationFailed
from mlops.domain.feedback.giving import AnswersExpired, DifferentLabel, NoSuchRow
from mlops.domain.feedback.kept_answers import UnknownLabel
from mlops.domain.feedback.own_id import hashed
from mlops.domain.feedback.prediction_id import Malformed, parse

BATCH_SECONDS = 20.0
"""Of the 29 that API Gateway waits. Labels after that are refused, and can be sent again."""
_DAY = 24 * 3600


class LabelConflict(Conflict):
    code, title = "label_conflict", "The prediction has another label"


class Intake:
    def __init__(self, table: FeedbackTable, known: KnownLabels, days: int) -> None:
        self._table, self._known, self._days = table, known, days

    @classmethod
    def from_environment(cls) -> "Intake":
        return _intake()

    def take(self, model_name: str, label: Label, actor: str) -> FeedbackAccepted:
        """Take one label.

        Raises:
            NotFound: predict makes no such id.
            Gone: The prediction is too old.
            LabelConflict: The prediction has another label.
            ValidationFailed: The model cannot answer this label, or the request had no such row.
        """
        place = self._place(model_name, label, time.time())
        if place is None:
            return FeedbackAccepted(status="not_sampled")
        check = partial(self._known.check, model_name, label.label)
        try:
            given = self._table.give(place, label.label, actor, label.observed_at, label.replace, check)
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
        except UnreadableManifest as error:
            raise DependencyUnavailable("The manifest of the model cannot be read; try again", 30) from error
        return FeedbackAccepted(status=given.value)

    def take_all(self, model_name: str, labels: list[Label], actor: str) -> FeedbackBatchResult:
        """Take labels: the simple ones together, then the others one after the other.

        One that is refused does not stop the others.
        """
        until, results = time.monotonic() + BATCH_SECONDS, []
        together = self._take_new(model_name, labels, actor)
        for number, label in enumerate(labels):
            if number in together:
                results.append(FeedbackResult(status="counted", code=None, detail=None))
                continue
            try:
                if time.monotonic() > until:
                    raise DependencyUnavailable("There was no time left for this label; send it again")
                status = self.take(model_name, label, actor).status
                results.append(FeedbackResult(status=status, code=None, detail=None))
            except PlatformError as error:
                results.append(FeedbackResult(status="refused", code=error.code, detail=error.detail))
        counts: dict[str, int] = {}
        for result in results:
            counts[result.status] = counts.get(result.status, 0) + 1
        return FeedbackBatchResult(results=results, counts=counts)

    def _take_new(self, model_name: str, labels: list[Label], actor: str) -> set[int]:
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

    def _place(self, model_name: str, label: Label, now: float) -> LabelPlace | None:
        """Return where the label belongs; None if the prediction was not kept."""
        if label.prediction_id is None:
            return LabelPlace(model_name, hashed(str(label.id)), 0, now)
        try:
            minted = parse(label.prediction_id)
        except Malformed as error:
            raise NotFound(f"There is no prediction of this id: a prediction_id {error}") from None
        if minted.seconds > now + _DAY:
            raise NotFound("There is no prediction of this id: predict has not made it")
        if now - minted.seconds > self._days * _DAY:
            raise self._too_old()
        return LabelPlace(model_name, minted.text, label.row, minted.seconds) if minted.sampled else None

    def _too_old(self) -> Gone:
        return Gone(
            f"The prediction is older than {self._days} days (FeedbackDays), so its answer is not kept any more"
        )


@cache
def _intake() -> Intake:
    settings = LabelSettings.from_environment()
    known = KnownLabels(ServedModels.from_environment())
    return Intake(FeedbackTable.from_environment(), known, settings.feedback_days)
