"""Answer a request during a rollout: by the version that its routing key chooses, and at times ask the other one too.

Nothing runs after a Lambda function has answered, so the comparison comes before. It never costs a request its answer:
whatever goes wrong with the challenger, the champion answers.
"""

import contextlib
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import orjson

from mlops.domain.errors import PlatformError
from mlops.domain.manifest import Manifest
from mlops.domain.rollout.counts import GAINED, LOST, PARTS, SHIFT_BINS
from mlops.domain.rollout.live import CANARY_VARIANT, LiveRollout
from mlops.domain.rollout.routing import in_canary, in_shadow
from predict.model_cache import ServedModel
from predict.records import Outcome
from predict.response_cache import Answer
from predict.rollouts import Trial

BUDGET_SECONDS = 0.05
"""After asking the challenger beside the champion took longer, that is not done for PAUSE_FACTOR times as long. So it
takes at most a tenth of the time, however slow the challenger is."""
PAUSE_FACTOR = 9
TOLERANCE = 0.05
"""Quantities agree if they differ by at most this part of the range of the champion's answers to the held-out rows."""
ROUTING_HEADER = "x-routing-key"


class Question(Protocol):
    """A request, which either version can be asked. The answers of both are kept, under their variants."""

    def cached(self, model: ServedModel, variant: str = "") -> Answer | None: ...

    def prepare(self) -> None: ...

    def ask(self, model: ServedModel, variant: str = "") -> tuple[Answer, Outcome]: ...


class Tried(NamedTuple):
    """An answer, whether it is from the cache, and what it adds to the answer's JSON and to the log line. `other` has
    the places, among the labels of the version that answers, of what the other one has answered."""

    answer: Answer
    hit: bool
    fields: str
    line: str
    other: Sequence[int] = ()


class _Asked(NamedTuple):
    answer: Answer
    outcome: Outcome
    seconds: float


class Comparisons:
    """Asks the versions of rollouts. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._paused_until = float("-inf")

    def answer(
        self, trial: Trial, champion: ServedModel, routing_key: str, request_id: str, question: Question
    ) -> Tried:
        """Answer a request.

        Args:
            trial: The rollout and its challenger.
            champion: The model in Production.
            routing_key: Decides which of the two answers.
            request_id: Decides whether both are asked.
            question: The request.

        Raises:
            PlatformError: The champion cannot answer the request.
        """
        live, challenger = trial
        canary = in_canary(live.id, routing_key, live.weight)
        compares = in_shadow(live.id, request_id, live.share)
        if challenger is None:
            known = question.cached(champion)
            skipped = {"skipped": int(known is None and (canary or compares))}
            return _tried(live, known or question.ask(champion)[0], known is not None, skipped)
        if canary:
            known = question.cached(challenger, CANARY_VARIANT)
            if known is not None:
                return _tried(live, known, True, {}, by_challenger=True)
            return self._by_challenger(live, challenger, champion, compares, question)
        if (known := question.cached(champion)) is not None:
            return _tried(live, known, True, {})
        if not compares:
            return _tried(live, question.ask(champion)[0], False, {})
        return self._by_champion(live, challenger, champion, question)

    def _by_challenger(
        self, live: LiveRollout, challenger: ServedModel, champion: ServedModel, compares: bool, question: Question
    ) -> Tried:
        other = self._of_challenger(challenger, question)
        if other is None:
            # If the champion cannot answer either, the request is at fault, and this raises.
            return _tried(live, question.ask(champion)[0], False, {"asked": 1, "failed": 1})
        counts = {"asked": 1}
        places: Sequence[int] = ()
        if compares:
            with contextlib.suppress(PlatformError):  # only the challenger can answer: there is nothing to compare
                mine = self._timed(champion, question)
                counts |= _compared(live, champion.manifest, mine, other)
                places = _places(challenger.manifest, mine)
        return _tried(live, other.answer, False, counts, by_challenger=True, other=places)

    def _by_champion(
        self, live: LiveRollout, challenger: ServedModel, champion: ServedModel, question: Question
    ) -> Tried:
        mine = self._timed(champion, question)
        began = self._clock()
        if began < self._paused_until:
            return _tried(live, mine.answer, False, {"skipped": 1})
        other = self._of_challenger(challenger, question)
        spent = self._clock() - began
        if spent > BUDGET_SECONDS:
            self._paused_until = began + (1 + PAUSE_FACTOR) * spent
        if other is None:
            return _tried(live, mine.answer, False, {"asked": 1, "failed": 1})
        counts = {"asked": 1, **_compared(live, champion.manifest, mine, other)}
        return _tried(live, mine.answer, False, counts, other=_places(champion.manifest, other))

    def _of_challenger(self, challenger: ServedModel, question: Question) -> _Asked | None:
        try:
            return self._timed(challenger, question, CANARY_VARIANT)
        except Exception:  # of any kind: the champion answers, and the failure is counted
            return None

    def _timed(self, model: ServedModel, question: Question, variant: str = "") -> _Asked:
        question.prepare()
        began = self._clock()
        answer, outcome = question.ask(model, variant)
        return _Asked(answer, outcome, self._clock() - began)


COMPARISONS = Comparisons()


def _compared(live: LiveRollout, champion: Manifest, mine: _Asked, other: _Asked) -> dict[str, int]:
    """Return the counts of a request that both have answered."""
    ours, theirs = mine.outcome.answers.predictions, other.outcome.answers.predictions
    moved: Counter[int] = Counter()
    if champion.predicts_quantity:
        tolerance = _tolerance(champion)
        ways = [(b > a) - (b < a) for a, b in _numbers(ours, theirs) if abs(a - b) > tolerance]
        differs, moved[0] = len(ways), sum(ways)
    else:
        apart = [(a, b) for a, b in zip(ours, theirs, strict=True) if a != b]
        differs = len(apart)
        bins = {label: place for place, label in enumerate(champion.labels[: SHIFT_BINS - 1])} if apart else {}
        for a, b in apart:
            moved[bins.get(a, SHIFT_BINS - 1)] -= 1
            moved[bins.get(b, SHIFT_BINS - 1)] += 1
    counts = {
        "pairs": 1,
        "disagreed": round(PARTS * differs / len(ours)),
        "slower": int(other.seconds > live.latency_ratio * mine.seconds),
    }
    if live.confidence_drop is not None and not champion.predicts_quantity:
        sure = _numbers(mine.outcome.answers.confidences, other.outcome.answers.confidences)
        counts["unsure"] = round(PARTS * sum(a - b > live.confidence_drop for a, b in sure) / len(ours))
    for place, rows in moved.items():
        counts[f"{GAINED if rows > 0 else LOST}{place}"] = round(PARTS * abs(rows) / len(ours))
    return counts


def _places(manifest: Manifest, other: _Asked) -> Sequence[int]:
    """Return the places of another version's answers among the labels of a version; -1 for other answers."""
    if manifest.predicts_quantity:
        return ()
    places = {label: place for place, label in enumerate(manifest.labels)}
    return [places.get(answer, -1) for answer in other.outcome.answers.predictions]


def _numbers(mine: Sequence[Any], other: Sequence[Any]) -> list[tuple[float, float]]:
    return [(float(a), float(b)) for a, b in zip(mine, other, strict=True)]


def _tolerance(champion: Manifest) -> float:
    prediction = (champion.column_reference or {}).get("prediction") or {}
    low, high = prediction.get("low"), prediction.get("high")
    return TOLERANCE * (high - low) if low is not None and high is not None else 0.0


def _tried(
    live: LiveRollout,
    answer: Answer,
    hit: bool,
    counts: dict[str, int],
    *,
    by_challenger: bool = False,
    other: Sequence[int] = (),
) -> Tried:
    counted = {"requests": 1, "canary": int(by_challenger), **counts}
    shown = {"id": live.id, "step": live.step, **{name: count for name, count in counted.items() if count}}
    line = f',"rollout":{orjson.dumps(shown).decode()}'
    fields = f'"variant":"{CANARY_VARIANT}",' if by_challenger else ""
    return Tried(answer, hit, fields, f"{line},{fields[:-1]}" if fields else line, other)
