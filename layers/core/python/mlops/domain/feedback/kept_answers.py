"""What is kept of a request's answers, until their labels are known."""

import binascii
import json
import math
import struct
import sys
import zlib
from array import array
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any

from mlops.domain.feedback.prediction_id import Malformed as MalformedId
from mlops.domain.feedback.prediction_id import PredictionId, parse
from mlops.domain.manifest import LARGEST_UNIT, SMALLEST_UNIT
from mlops.domain.rollout.counts import Malformed as MalformedRollout
from mlops.domain.rollout.counts import counts_of_line
from mlops.domain.rollout.live import CANARY_VARIANT

MAX_ROWS = 1000
MAX_NUMBERS = 16_384
UNITS = range(SMALLEST_UNIT, LARGEST_UNIT + 1)
UNKNOWN = -1.0
"""In place of a probability that is not known. A batch prediction may have written the confidence alone."""

_FLOAT32 = struct.Struct("<f")


class Malformed(ValueError):
    """The field `feedback` of a log line does not have the form that predict writes."""


class UnknownLabel(ValueError):
    """The label is none that the model can answer. The message says what it must be."""


@dataclass(frozen=True)
class OtherAnswers:
    """What the other version of a rollout has answered to the same rows.

    Attributes:
        rollout_id: The rollout.
        phase: In which it was.
        is_champion: Whether these are the champion's, and the kept answers are the challenger's.
        places: The place of each answer among the labels of the version that is kept; -1 if it is none of them.
    """

    rollout_id: str
    phase: int
    is_champion: bool
    places: tuple[int, ...]


@dataclass(frozen=True)
class KeptAnswers:
    """The answers to a request's rows.

    Attributes:
        version: The model's version.
        stage: In which it was.
        hour: In which it answered, such as `2026-01-31T23`.
        outputs: The probabilities of each row's labels, or `UNKNOWN`; of a model of a quantity the quantity alone.
        labels: The model's labels; empty if it predicts a quantity.
        unit: The power of ten in which the errors of a quantity are counted.
        other: What the other version of a rollout has answered, if it was asked too.
        threshold: The decision threshold of a model of two classes, if it has one (`mlops_contract.decision`).
    """

    version: int
    stage: str
    hour: str
    outputs: tuple[tuple[float, ...], ...]
    labels: tuple[int | str, ...] = ()
    unit: int = 0
    other: OtherAnswers | None = None
    threshold: float | None = None

    @property
    def rows(self) -> int:
        return len(self.outputs)

    def row(self, number: int) -> "KeptAnswers":
        """Return one row alone."""
        other = self.other and replace(self.other, places=(self.other.places[number],))
        return replace(self, outputs=(self.outputs[number],), other=other)

    def predicted(self, row: int) -> int:
        """Return the place of a row's answer among the labels, as predict has decided it."""
        outputs = self.outputs[row]
        if self.threshold is None:
            return max(range(len(outputs)), key=outputs.__getitem__)  # the first of equal ones
        (least,) = _FLOAT32.unpack(_FLOAT32.pack(self.threshold))
        return int(outputs[1] >= least)

    def place_of(self, label: int | float | str) -> int:
        """Return the place of a label among the model's. Raises UnknownLabel."""
        texts = [str(known) for known in self.labels]
        if str(label) not in texts:
            raise UnknownLabel(f"must be one of the labels of version {self.version}: {some_of(texts)}")
        return texts.index(str(label))

    def to_content(self) -> bytes:
        """Return everything but version, stage and hour, packed."""
        numbers = array("f", [number for row in self.outputs for number in row])
        if sys.byteorder == "big":
            numbers.byteswap()
        document: dict[str, Any] = {"n": self.rows, "unit": self.unit, "labels": self.labels}
        if self.other is not None:
            document["other"] = asdict(self.other)
        if self.threshold is not None:
            document["threshold"] = self.threshold
        return zlib.compress(json.dumps(document, separators=(",", ":")).encode() + b"\n" + numbers.tobytes())

    @classmethod
    def from_content(cls, version: int, stage: str, hour: str, content: bytes) -> "KeptAnswers":
        """Read what `to_content` returned."""
        head, _, numbers = zlib.decompress(content).partition(b"\n")
        document = json.loads(head)
        outputs, other = _rows(numbers, document["n"]), document.get("other")
        if other is not None:
            other = OtherAnswers(**{**other, "places": tuple(other["places"])})
        labels, unit, threshold = tuple(document["labels"]), document["unit"], document.get("threshold")
        return cls(version, stage, hour, outputs, labels, unit, other, threshold)


@dataclass(frozen=True)
class KeptRequest:
    """A line's answers, and by which ids labels find them: the minted one, or the hash of each row's own one."""

    id: PredictionId
    answers: KeptAnswers
    own: tuple[str, ...] = ()

    def by_id(self) -> dict[str, KeptAnswers]:
        """Return the answers by the id of each item that is stored."""
        if not self.own:
            return {self.id.text: self.answers}
        return {own: self.answers.row(number) for number, own in enumerate(self.own)}


def kept_of(line: Mapping[str, Any], hour: str) -> KeptRequest | None:
    """Read the field `feedback` of a log line whose other fields are valid; None if it has none.

    Raises:
        Malformed: predict writes no such field.
    """
    fields = line.get("feedback")
    if fields is None:
        return None
    try:
        minted = parse(fields["id"])
        labels = fields.get("labels")
        outputs = _rows(binascii.a2b_base64(fields["outputs"]), fields["n"])
        unit = 0 if labels is not None else fields["unit"]
        own = tuple(parse(text).text for text in fields.get("own", ()))
        threshold = fields.get("threshold")
    except (KeyError, TypeError, ValueError, AttributeError, MalformedId) as error:
        raise Malformed("the field feedback cannot be read") from error
    width = len(outputs[0])
    if labels is not None:
        texts = {str(label) for label in labels} if isinstance(labels, list) else set()
        if not {*map(type, labels)} <= {int, str} or len(texts) != width or len(labels) != width:
            raise Malformed("the labels are not those of the outputs")
    elif width != 1 or type(unit) is not int or unit not in UNITS:
        raise Malformed("a quantity has one output and a unit")
    if threshold is not None and not (width == 2 and type(threshold) is float and 0 < threshold < 1):
        raise Malformed("a threshold is of two classes, and between 0 and 1")
    if own and len(own) != len(outputs):
        raise Malformed("the rows and their ids are not as many")
    other = _other(line, len(outputs), width) if labels is not None and fields.get("other") is not None else None
    about = (line["model_version"], line["stage"], hour)
    answers = KeptAnswers(*about, outputs, tuple(labels or ()), unit, other, threshold)
    return KeptRequest(minted, answers, own)


def _other(line: Mapping[str, Any], rows: int, labels: int) -> OtherAnswers:
    places = line["feedback"]["other"]
    try:
        (rollout_id, phase), _ = counts_of_line(line.get("rollout"))
    except MalformedRollout as error:
        raise Malformed("the rollout of the answers cannot be read") from error
    if not isinstance(places, list) or len(places) != rows:
        raise Malformed("the answers of both versions are not as many")
    if not all(type(place) is int and -1 <= place < labels for place in places):
        raise Malformed("an answer of the other version is none of the labels")
    return OtherAnswers(rollout_id, phase, line.get("variant") == CANARY_VARIANT, tuple(places))


def _rows(numbers: bytes, count: Any) -> tuple[tuple[float, ...], ...]:
    values = array("f")
    values.frombytes(numbers)
    if sys.byteorder == "big":
        values.byteswap()
    if type(count) is not int or not 1 <= count <= MAX_ROWS or not values or len(values) % count:
        raise ValueError("the outputs are not those of the rows")
    if len(values) > MAX_NUMBERS or not all(map(math.isfinite, values)):
        raise ValueError("the outputs are too many, or not finite")
    width = len(values) // count
    return tuple(tuple(values[start : start + width]) for start in range(0, len(values), width))


def some_of(texts: list[str], most: int = 20) -> str:
    """Return the first of labels, as a message lists them."""
    return ", ".join(text[:40] for text in texts[:most]) + (", …" if len(texts) > most else "")
