"""Ask the original and the ONNX model the same rows of one tensor, whose columns have no names."""

from collections.abc import Iterator, Mapping

import numpy as np
import onnxruntime

from mlops_contract import Contract, Task
from mlops_contract.agreement import TOLERANCE
from mlops_contract.proof_rows import MAX_ROWS, ProofRows, most_rows
from mlops_conversion.limits import PROOF_SECONDS
from mlops_conversion.proof import rows
from mlops_conversion.proof.proof import Kind, Proof
from mlops_conversion.proof.prove import Ask, Comparison
from mlops_conversion.proof.rows import Array

HELD_OUT_ROWS = 1_000
ALONE = 25
"""So many features are changed alone, evenly spread over those that differ between rows."""
BASE_ROWS = 4
"""Rows whose features are changed."""
THRESHOLDS = 2_000
_SINGLE_ROWS = 8


def prove_tensor(
    ask: Ask,
    session: onnxruntime.InferenceSession,
    task: Task,
    name: str,
    held_out: Array,
    *,
    scale: float = 1.0,
    thresholds: Mapping[int, Array] | None = None,
    seconds: float = PROOF_SECONDS,
) -> Proof:
    """Compare the answers of a model of vectors or images, and of its ONNX model.

    There is no contract that could refuse rows, so a row that only one of them answers is a disagreement.

    Args:
        ask: The original. It gets `{name: float32 [n, features]}`, and gives probabilities `[n, classes]`, or
            predictions `[n]` or `[n, 1]`.
        session: The ONNX model.
        task: What they predict.
        name: The ONNX model's input.
        held_out: Rows that training did not see, float32 `[n, features]`; at least one. At most HELD_OUT_ROWS are
            asked, evenly spread.
        scale: The interquartile range of the target, for regression.
        thresholds: The thresholds that the model compares each feature with, by its position, for trees.
        seconds: How long the proof may take.

    Raises:
        ProofTimeout: The proof was not done in `seconds`.
    """
    contract = Contract(task, "", ())
    comparison = Comparison(ask, session, lambda _, columns: columns, contract.output, scale, seconds)
    spread = rows.spread({name: held_out}, HELD_OUT_ROWS)
    base = rows.spread({name: held_out}, BASE_ROWS)[name]
    questions = [(Kind.HELD_OUT, spread[name]), *_changed(base, held_out)]
    if thresholds:
        questions.append((Kind.THRESHOLD, _beside(base, thresholds)))
    checks = [comparison.check(kind, contract, {name: asked}) for kind, asked in questions]
    checks.append(comparison.alone(contract, rows.taken(spread, slice(_SINGLE_ROWS))))
    return Proof(tuple(checks), {}, TOLERANCE, comparison.scale)


def kept_tensor_rows(ask: Ask, name: str, held_out: Array, outputs: int, scale: float) -> ProofRows:
    """Return held-out rows, evenly spread, and what the original answers: a run keeps them for the gate.

    Args:
        ask: The original, as for `prove_tensor`.
        name: The ONNX model's input.
        held_out: Rows that training did not see, float32 `[n, features]`.
        outputs: The width of the model's output.
        scale: What differences are measured by.
    """
    feeds = rows.spread({name: held_out}, min(MAX_ROWS, most_rows({name: held_out[:1]}, outputs)))
    return ProofRows(feeds, np.asarray(ask(feeds), np.float32).reshape(rows.count(feeds), -1), scale)


def _changed(base: Array, held_out: Array) -> Iterator[tuple[Kind, Array]]:
    """Yield rows in which all features, or one alone, have their extremes or zero, or lie beyond their range."""
    low, high = held_out.min(axis=0), held_out.max(axis=0)
    span = np.maximum(high - low, 1)
    differ = np.flatnonzero(high > low)
    alone = differ[rows.evenly(len(differ), ALONE)]
    for kind, changes in (
        (Kind.EXTREME, (low, high, np.clip(0, low, high))),
        (Kind.BEYOND, (low - span, high + span)),
    ):
        together = np.stack(changes).astype(np.float32)
        yield kind, np.concatenate([together, *(_changed_alone(base, alone, values[alone]) for values in together)])


def _beside(base: Array, thresholds: Mapping[int, Array]) -> Array:
    """Return rows in which a feature has one of its thresholds, or the next number to either side."""
    values = np.concatenate([np.asarray(given, np.float32) for given in thresholds.values()])
    places = np.repeat(list(thresholds), [len(given) for given in thresholds.values()])
    chosen = rows.evenly(len(values), THRESHOLDS)
    sides = [np.nextafter(values[chosen], np.float32(end)) for end in (-np.inf, np.inf)]
    return _changed_alone(base[:1], np.tile(places[chosen], 3), np.concatenate([values[chosen], *sides]))


def _changed_alone(base: Array, places: Array, values: Array) -> Array:
    """Return each of the rows with each of the values at its place."""
    result = np.repeat(base, len(places), axis=0)
    result[np.arange(len(result)), np.tile(places, len(base))] = np.tile(values, len(base))
    return result
