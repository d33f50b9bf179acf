"""Convert a model's outputs to the answer for the caller."""

import math
from collections.abc import Sequence
from operator import add
from typing import Any, NamedTuple

import numpy as np
import orjson

from mlops.domain.manifest import Manifest
from mlops.inference.model import SUM_TOLERANCE, Floats
from mlops_contract.decision import SECOND, confidences_of, places_of

NOTHING_MORE: dict[str, Any] = {}


class NotFinite(ValueError):
    """The model's arithmetic overflows with this input, so there is no answer."""


class Answers(NamedTuple):
    """The class of each row by `mlops_contract.decision`: its label, and its probability.

    Of a regression model the predictions are quantities, and there are no confidences.

    Attributes:
        predictions: Labels; quantities as numpy's float32.
        confidences: As `shortest` has them.
        label: The first prediction as JSON; empty for a quantity.
        first: All probabilities of the first row, as a JSON list; empty for a quantity.
    """

    predictions: list[Any]
    confidences: list[float]
    label: str = ""
    first: str = ""


class ModelAnswers:
    """Makes one model's answers of its outputs, and writes them as JSON.

    What is the same in each of them is encoded once.

    Attributes:
        places: The place of each label among the model's; empty for a quantity.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._labels, self._of_quantity = manifest.labels, manifest.predicts_quantity
        self.places = {label: place for place, label in enumerate(manifest.labels)}
        self._encoded = [json_of(label) for label in manifest.labels]
        self._names = [f"{json_of(str(label))}:" for label in manifest.labels]
        self._threshold = manifest.decision_threshold
        # As the decimals of a single answer are: the shortest of the same float32.
        self._least = 1.0 if self._threshold is None else shortest(np.array([self._threshold], np.float32))[0]
        self._decided = {} if self._threshold is None else {"decision_threshold": self._threshold}
        self._model = _fields(
            {
                **self._decided,
                "model_name": manifest.model_name,
                "model_version": manifest.model_version,
                "model_stage": manifest.stage,
            }
        )

    def of(self, outputs: Floats) -> Answers:
        """Return the answers of float32 `[n, classes]`, or `[n, 1]` for quantities.

        Raises:
            NotFinite: A row has no finite answer.
        """
        if not self._of_quantity:
            return self.of_classes(outputs)
        quantities = list(outputs[:, 0])
        if not all(map(math.isfinite, quantities)):
            raise NotFinite
        return Answers(quantities, [])

    def of_classes(self, probabilities: Floats) -> Answers:
        """Return label and confidence of each row of float32 `[n, classes]`.

        Raises:
            NotFinite: The probability of a row's answer is not a finite number.
        """
        first = json_of(probabilities[0])
        if len(probabilities) == 1:  # a call of numpy takes longer than all of this
            row = orjson.loads(first)
            if None in row:  # JSON has no infinity and no NaN
                raise NotFinite
            if self._threshold is None:
                confidence = max(row)
                best = row.index(confidence)
            else:
                best = int(row[SECOND] >= self._least)
                confidence = row[best]
            if not 0 <= confidence <= 1:
                confidence = _at_most_one(confidence)
            return Answers([self._labels[best]], [confidence], self._encoded[best], first)
        places = places_of(probabilities, self._threshold)
        confidences = shortest(confidences_of(probabilities, places))
        if None in confidences or not (self._threshold is None or np.isfinite(probabilities).all()):
            raise NotFinite  # a threshold may choose the one class of both that has a number
        if not all(0 <= confidence <= 1 for confidence in confidences):
            confidences = [_at_most_one(confidence) for confidence in confidences]
        classes = places.tolist()
        return Answers([self._labels[index] for index in classes], confidences, self._encoded[classes[0]], first)

    def single(self, answers: Answers) -> str:
        """Return the answer for one row."""
        return self._one(answers, answers.first)

    def row(
        self,
        answers: Answers,
        warnings: Sequence[str] = (),
        more: dict[str, Any] = NOTHING_MORE,
        *,
        named: bool = True,
    ) -> str:
        """Return a table model's answer for one row.

        Args:
            answers: The answer.
            warnings: What to know about it.
            more: Further fields.
            named: Whether probabilities go by their labels.
        """
        if not answers.confidences:
            return f'{{"prediction":{json_of(answers.predictions[0])},{self._model}{_rest(warnings, more)}}}'
        probabilities = answers.first
        if named:
            probabilities = f"{{{','.join(map(add, self._names, probabilities[1:-1].split(',')))}}}"
        return self._one(answers, probabilities, _rest(warnings, more))

    def batch(self, answers: Answers, warnings: Sequence[str] = (), more: dict[str, Any] = NOTHING_MORE) -> str:
        """Return the answer for several rows. `warnings` and `more` are as in `row`."""
        document: dict[str, Any] = {"predictions": answers.predictions}
        if answers.confidences:
            document["confidences"] = answers.confidences
            document |= self._decided
        document["model_name"] = self._manifest.model_name
        document["model_version"] = self._manifest.model_version
        document["batch_size"] = len(answers.predictions)
        return f"{{{_fields(document)}{_rest(warnings, more)}}}"

    def _one(self, answers: Answers, probabilities: str, rest: str = "") -> str:
        return (
            f'{{"prediction":{answers.label},"confidence":{answers.confidences[0]},"probabilities":{probabilities},'
            f"{self._model}{rest}}}"
        )


def shortest(numbers: Floats) -> list[Any]:
    """Return float32 numbers as Python's, each the shortest decimal that means the same float32; None for NaN."""
    found: list[Any] = orjson.loads(json_of(numbers))
    return found


def _at_most_one(confidence: float) -> float:
    """Limit confidences to 1, as in the published schema: sums of float32 may exceed it by rounding."""
    return min(confidence, 1.0) if confidence <= 1 + SUM_TOLERANCE else confidence


def _rest(warnings: Sequence[str], more: dict[str, Any]) -> str:
    if not warnings and not more:
        return ""
    return "," + _fields({**more, "warnings": warnings} if warnings else more)


def _fields(document: dict[str, Any]) -> str:
    """Return an object's fields as JSON, without the braces."""
    return json_of(document)[1:-1]


def json_of(value: Any) -> str:
    """Return JSON, in which numpy's arrays are lists, and each of its float32 is the shortest that means the same."""
    return orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY).decode()
