"""Answer a request during a rollout: by the version that its routing key chooses, and at times ask the other one too.

Nothing runs after a Lambda function has answered, so the comparison comes before. It never costs a request its answer:
whatever goes wrong with the challenger, the champion answers.
"""

import contextlib
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import orjson

from mlops.domain.errors import PlatformError
from mlops.domain.manifest import Manifest
from mlops.domain.rollout.counts import GAINED, LOST, PARTS, SHIFT_BINS
from mlops.domain.rollout.live import CANARY_VARIANT, LiveRollout
from mlops.domain.rollout.routing import in_canary, in_shadow
from predict.answering import Answering
from predict.model_cache import ServedModel
from predict.records import Ran
from predict.request import Request
from predict.response_cache import Answer, AnswerCache, Key
from predict.rollouts import Trial

BUDGET_SECONDS = 0.05
"""After asking the challenger beside the champion took longer, that is not done for PAUSE_FACTOR times as long. So it
takes at most a tenth of the time, however slow the challenger is."""
PAUSE_FACTOR = 9
TOLERANCE = 0.05
"""Quantities agree if they differ by at most this part of the range of the champion's answers to the held-out rows."""
ROUTING_HEADER = "x-routing-key"


class Both:
    """A request that both versions of a rollout can be asked, and their answers to the same body.

    Args:
        answering: Asks models.
        answers: The answers that are known.
        parse: Returns the request, which a known answer does not need.
        asked: The request's body, whether it is for several rows, its id, and which label is to be explained.
        key: That of the champion's answer.
    """

    def __init__(
        self,
        answering: Answering,
        answers: AnswerCache,
        parse: Callable[[], Request],
        asked: tuple[str, bool, str, str | None],
        key: Key,
    ) -> None:
        self._answering, self._answers, self._parse, self._asked, self._key = answering, answers, parse, asked, key
        self._parsed: Request | None = None
        self._prepared: ServedModel | None = None
        self._taken: Any = None
        self._input: Any = None

    def cached(self, model: ServedModel, variant: str = "") -> Answer | None:
        """Return what the model has answered to the same body, if that is known."""
        known = self._answers.get((variant + self._key[0], *self._key[1:]), self._asked[0])
        return known if known is not None and known.serial == model.serial else None

    def prepare(self, model: ServedModel) -> Request:
        """Make the model's input, so that no model's time has this in it. Raises ValidationFailed."""
        self._parsed = self._parsed or self._parse()
        if self._prepared is not model:
            taken = model.manifest.contract or model.manifest.input
            if taken != self._taken:  # mostly both versions take the same
                _, batch, _, explain = self._asked
                self._input = self._answering.input_of(model, self._parsed, batch, explain)
                self._taken = taken
            self._prepared = model
        return self._parsed

    def run(self, model: ServedModel) -> Ran:
        """Ask the model. Raises ValidationFailed: it has no finite answer."""
        return self._answering.run(model, self.prepare(model), self._input)

    def answer(self, model: ServedModel, ran: Ran | None = None, variant: str = "") -> Answer:
        """Write what the model answers or has answered, and keep it. Raises ValidationFailed."""
        ran = ran or self.run(model)
        made = self._answering.written(model, self.prepare(model), *self._asked, self._input, ran)
        self._answers.put((variant + self._key[0], *self._key[1:]), made)
        return made


class Tried(NamedTuple):
    """An answer, whether it is from the cache, and what it adds to the answer's JSON and to the log line. `other` has
    the places, among the labels of the version that answers, of what the other one has answered."""

    answer: Answer
    hit: bool
    fields: str
    line: str
    other: Sequence[int] = ()


class _Asked(NamedTuple):
    ran: Ran
    seconds: float


class Comparisons:
    """Asks the versions of rollouts. `clock` counts seconds."""

    def __init__(self, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._paused_until = float("-inf")

    def answer(self, trial: Trial, champion: ServedModel, routing_key: str, request_id: str, both: Both) -> Tried:
        """Answer a request.

        Args:
            trial: The rollout and its challenger.
            champion: The model in Production.
            routing_key: Decides which of the two answers.
            request_id: Decides whether both are asked.
            both: The request.

        Raises:
            PlatformError: The champion cannot answer the request.
        """
        live, challenger = trial
        canary = in_canary(live.id, routing_key, live.weight)
        compares = in_shadow(live.id, request_id, live.share)
        if challenger is None:
            known = both.cached(champion)
            skipped = {"skipped": int(known is None and (canary or compares))}
            return _tried(live, known or both.answer(champion), known is not None, skipped)
        if canary:
            known = both.cached(challenger, CANARY_VARIANT)
            if known is not None:
                return _tried(live, known, True, {}, by_challenger=True)
            return self._by_challenger(live, challenger, champion, compares, both)
        if (known := both.cached(champion)) is not None:
            return _tried(live, known, True, {})
        if not compares:
            return _tried(live, both.answer(champion), False, {})
        return self._by_champion(live, challenger, champion, both)

    def _by_challenger(
        self, live: LiveRollout, challenger: ServedModel, champion: ServedModel, compares: bool, both: Both
    ) -> Tried:
        other = self._of_challenger(challenger, both)
        if other is None:
            # If the champion cannot answer either, the request is at fault, and this raises.
            return _tried(live, both.answer(champion), False, {"asked": 1, "failed": 1})
        counts = {"asked": 1}
        places: Sequence[int] = ()
        if compares:
            with contextlib.suppress(PlatformError):  # only the challenger can answer: there is nothing to compare
                mine = self._timed(champion, both)
                counts |= _compared(live, champion, mine, other)
                places = _places(challenger, mine)
        try:
            answer = both.answer(challenger, other.ran, CANARY_VARIANT)
        except Exception:  # of any kind, as above
            return _tried(live, both.answer(champion), False, {"asked": 1, "failed": 1})
        return _tried(live, answer, False, counts, by_challenger=True, other=places)

    def _by_champion(self, live: LiveRollout, challenger: ServedModel, champion: ServedModel, both: Both) -> Tried:
        mine = self._timed(champion, both)
        answer = both.answer(champion, mine.ran)
        began = self._clock()
        if began < self._paused_until:
            return _tried(live, answer, False, {"skipped": 1})
        other = self._of_challenger(challenger, both)
        spent = self._clock() - began
        if spent > BUDGET_SECONDS:
            self._paused_until = began + (1 + PAUSE_FACTOR) * spent
        if other is None:
            return _tried(live, answer, False, {"asked": 1, "failed": 1})
        counts = {"asked": 1, **_compared(live, champion, mine, other)}
        return _tried(live, answer, False, counts, other=_places(champion, other))

    def _of_challenger(self, challenger: ServedModel, both: Both) -> _Asked | None:
        try:
            return self._timed(challenger, both)
        except Exception:  # of any kind: the champion answers, and the failure is counted
            return None

    def _timed(self, model: ServedModel, both: Both) -> _Asked:
        both.prepare(model)
        began = self._clock()
        return _Asked(both.run(model), self._clock() - began)


COMPARISONS = Comparisons()


def _compared(live: LiveRollout, champion: ServedModel, mine: _Asked, other: _Asked) -> dict[str, int]:
    """Return the counts of a request that both have answered."""
    ours, theirs, quantity = mine.ran[0], other.ran[0], champion.manifest.predicts_quantity
    rows, moved = len(ours.predictions), dict[int, int]()
    if quantity:
        tolerance = _tolerance(champion.manifest)
        pairs = zip(map(float, ours.predictions), map(float, theirs.predictions), strict=True)
        ways = [(b > a) - (b < a) for a, b in pairs if abs(a - b) > tolerance]
        differs, moved[0] = len(ways), sum(ways)
    else:
        apart = [(a, b) for a, b in zip(ours.predictions, theirs.predictions, strict=True) if a != b]
        differs, places = len(apart), champion.answers.places
        for pair in apart:
            for label, way in zip(pair, (-1, 1), strict=True):
                place = min(places.get(label, SHIFT_BINS), SHIFT_BINS - 1)
                moved[place] = moved.get(place, 0) + way
    counts = {
        "pairs": 1,
        "disagreed": round(PARTS * differs / rows),
        "slower": int(other.seconds > live.latency_ratio * mine.seconds),
    }
    if live.confidence_drop is not None and not quantity:
        sure = zip(ours.confidences, theirs.confidences, strict=True)
        counts["unsure"] = round(PARTS * sum(a - b > live.confidence_drop for a, b in sure) / rows)
    for place, more in moved.items():
        counts[f"{GAINED if more > 0 else LOST}{place}"] = round(PARTS * abs(more) / rows)
    return counts


def _places(model: ServedModel, other: _Asked) -> Sequence[int]:
    """Return the places of another version's answers among the labels of a model; -1 for other answers."""
    places = model.answers.places
    return [places.get(label, -1) for label in other.ran[0].predictions] if places else ()


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
