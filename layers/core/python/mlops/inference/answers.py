"""Convert a model's probabilities to the answer for the caller."""

import math
from collections.abc import Sequence
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
        confidences: As numpy's float32, or as `shortest` has them.
        first: All probabilities of the first row, as `shortest` has them; none for a quantity.
    """

    predictions: list[Any]
    confidences: list[Any]
    first: Sequence[float] = ()


def answers_of(manifest: Manifest, probabilities: Floats) -> Answers:
    """Return label and confidence of each row of float32 `[n, classes]`.

    Raises:
        NotFinite: A row's largest probability is not a finite number.
    """
    first = shortest(probabilities[0])
    if len(probabilities) == 1:  # a call of numpy takes longer than all of this
        if None in first:  # JSON has no infinity and no NaN
            raise NotFinite
        confidence = max(first)
        label = manifest.labels[first.index(confidence)]
        return Answers([label], [confidence if 0 <= confidence <= 1 else _at_most_one(confidence)], first)
    classes = probabilities.argmax(axis=1).tolist()
    confidences = [probabilities[row, best] for row, best in enumerate(classes)]
    if not all(0 <= confidence <= 1 for confidence in confidences):
        confidences = [_at_most_one(confidence) for confidence in confidences]
    return Answers([manifest.labels[index] for index in classes], confidences, first)


def shortest(numbers: Floats) -> list[Any]:
    """Return float32 numbers as Python's, each the shortest decimal that means the same float32; None for NaN."""
    found: list[Any] = orjson.loads(orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY))
    return found


def _at_most_one(confidence: Any) -> Any:
    """Limit confidences to 1, as in the published schema: sums of float32 may exceed it by rounding."""
    if not math.isfinite(confidence):
        raise NotFinite
    return min(confidence, 1.0) if confidence <= 1 + SUM_TOLERANCE else confidence


def single_body(manifest: Manifest, answers: Answers) -> str:
    """Return the answer for one row as JSON."""
    return _encoded(
        {
            "prediction": answers.predictions[0],
            "confidence": answers.confidences[0],
            "probabilities": answers.first,
            "model_name": manifest.model_name,
            "model_version": manifest.model_version,
            "model_stage": manifest.stage,
        }
    )


def batch_body(manifest: Manifest, answers: Answers) -> str:
    """Return the answer for several rows as JSON."""
    return _encoded(
        {
            "predictions": answers.predictions,
            "confidences": answers.confidences,
            "model_name": manifest.model_name,
            "model_version": manifest.model_version,
            "batch_size": len(answers.predictions),
        }
    )


def answers_of_table(manifest: Manifest, outputs: Floats) -> Answers:
    """Return a table model's answers, from float32 `[n, classes]`, or `[n, 1]` for quantities.

    Raises:
        NotFinite: A row has no finite answer.
    """
    if not manifest.predicts_quantity:
        return answers_of(manifest, outputs)
    quantities = list(outputs[:, 0])
    if not all(map(math.isfinite, quantities)):
        raise NotFinite
    return Answers(quantities, [])


def row_body(
    manifest: Manifest,
    answers: Answers,
    warnings: Sequence[str] = (),
    more: dict[str, Any] = NOTHING_MORE,
    *,
    named: bool = True,
) -> str:
    """Return a table model's answer for one row as JSON.

    Args:
        manifest: Says which model answers.
        answers: Its answer.
        warnings: What to know about the answer.
        more: Further fields.
        named: Whether probabilities go by their labels.
    """
    document: dict[str, Any] = {"prediction": answers.predictions[0]}
    if answers.confidences:
        document["confidence"] = answers.confidences[0]
        document["probabilities"] = (
            dict(zip(map(str, manifest.labels), answers.first, strict=True)) if named else answers.first
        )
    document["model_name"] = manifest.model_name
    document["model_version"] = manifest.model_version
    document["model_stage"] = manifest.stage
    return _encoded(document, warnings, more)


def rows_body(
    manifest: Manifest, answers: Answers, warnings: Sequence[str] = (), more: dict[str, Any] = NOTHING_MORE
) -> str:
    """Return a table model's answer for several rows as JSON. `more` are further fields."""
    document: dict[str, Any] = {"predictions": answers.predictions}
    if answers.confidences:
        document["confidences"] = answers.confidences
    document["model_name"] = manifest.model_name
    document["model_version"] = manifest.model_version
    document["batch_size"] = len(answers.predictions)
    return _encoded(document, warnings, more)


def _encoded(document: dict[str, Any], warnings: Sequence[str] = (), more: dict[str, Any] = NOTHING_MORE) -> str:
    if more:
        document |= more
    if warnings:
        document["warnings"] = warnings
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode()
