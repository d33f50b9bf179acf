"""Convert a model's probabilities to the answer for the caller."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from mlops.domain.manifest import Manifest
from mlops.inference.model import SUM_TOLERANCE, Floats

NOTHING_MORE: dict[str, Any] = {}


class NotFinite(ValueError):
    """The model's arithmetic overflows with this input, so there is no answer."""


@dataclass(frozen=True)
class Answers:
    """The most probable class of each row: its label, and its probability as numpy's float32.

    Of a regression model the predictions are quantities, as numpy's float32, and there are no confidences.
    """

    predictions: list[Any]
    confidences: list[Any]


def answers_of(manifest: Manifest, probabilities: Floats) -> Answers:
    """Return label and confidence of each row of float32 `[n, classes]`.

    Raises:
        NotFinite: A row's largest probability is not a finite number.
    """
    classes = probabilities.argmax(axis=1).tolist()
    confidences = [probabilities[row, best] for row, best in enumerate(classes)]
    if not all(0 <= confidence <= 1 for confidence in confidences):
        confidences = [_at_most_one(confidence) for confidence in confidences]
    return Answers([manifest.labels[index] for index in classes], confidences)


def _at_most_one(confidence: Any) -> Any:
    """Limit confidences to 1, as in the published schema: sums of float32 may exceed it by rounding."""
    if not math.isfinite(confidence):
        raise NotFinite
    return min(confidence, 1.0) if confidence <= 1 + SUM_TOLERANCE else confidence


def single_body(manifest: Manifest, answers: Answers, probabilities: Floats) -> str:
    """Return the answer for one row as JSON."""
    return _encoded(
        {
            "prediction": answers.predictions[0],
            "confidence": answers.confidences[0],
            "probabilities": probabilities[0],
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
    outputs: Floats,
    warnings: Sequence[str] = (),
    more: dict[str, Any] = NOTHING_MORE,
    *,
    named: bool = True,
) -> str:
    """Return a table model's answer for one row as JSON.

    Args:
        manifest: Says which model answers.
        answers: Its answer.
        outputs: float32 `[1, classes]`, or `[1, 1]`.
        warnings: What to know about the answer.
        more: Further fields.
        named: Whether probabilities go by their labels.
    """
    document: dict[str, Any] = {"prediction": answers.predictions[0]}
    if answers.confidences:
        labels = map(str, manifest.labels)
        document["confidence"] = answers.confidences[0]
        document["probabilities"] = dict(zip(labels, outputs[0], strict=True)) if named else outputs[0]
    document |= {
        "model_name": manifest.model_name,
        "model_version": manifest.model_version,
        "model_stage": manifest.stage,
    }
    return _encoded(document | more | ({"warnings": warnings} if warnings else {}))


def rows_body(
    manifest: Manifest, answers: Answers, warnings: Sequence[str] = (), more: dict[str, Any] = NOTHING_MORE
) -> str:
    """Return a table model's answer for several rows as JSON. `more` are further fields."""
    document: dict[str, Any] = {"predictions": answers.predictions}
    if answers.confidences:
        document["confidences"] = answers.confidences
    document |= {
        "model_name": manifest.model_name,
        "model_version": manifest.model_version,
        "batch_size": len(answers.predictions),
    }
    return _encoded(document | more | ({"warnings": warnings} if warnings else {}))


def _encoded(document: dict[str, Any]) -> str:
    return orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY).decode()
