"""Convert a model's outputs to the answer for the caller."""

import math
from collections.abc import Sequence
from operator import add
from typing import Any, NamedTuple

import orjson

from mlops.domain.manifest import Manifest
from mlops.inference.model import SUM_TOLERANCE, Floats

NOTHING_MORE: dict[str, Any] = {}


class NotFinite(ValueError):
    """The model's arithmetic overflows with this input, so there is no answer."""


class Answers(NamedTuple):
    """The most probable class of each row: its label, and its probability.

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
    """

    def __init__(self, manifest: Manifest) -> None:
        self._manifest = manifest
        self._labels, self._of_quantity = manifest.labels, manifest.predicts_quantity
        self._encoded = [json_of(label) for label in manifest.labels]
        self._names = [f"{json_of(str(label))}:" for label in manifest.labels]
        self._model = _fields(
            {
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
            NotFinite: A row's largest probability is not a finite number.
        """
        first = json_of(probabilities[0])
        if len(probabilities) == 1:  # a call of numpy takes longer than all of this
            row = orjson.loads(first)
            if None in row:  # JSON has no infinity and no NaN
                raise NotFinite
            confidence = max(row)
            best = row.index(confidence)
            if not 0 <= confidence <= 1:
                confidence = _at_most_one(confidence)
            return Answers([self._labels[best]], [confidence], self._encoded[best], first)
        classes = probabilities.argmax(axis=1).tolist()
        confidences = shortest(probabilities.max(axis=1))
        if None in confidences:
            raise NotFinite
        if not all(0 <= confidence <= 1 for confidence in confidences):
            confidences = [_at_most_one(confidence) for confidence in confidences]
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
