"""What a label adds to the totals of a version: whole numbers, so that a changed label takes away exactly that.

Of classes: `n` labels, `h` right ones, `k:["true","predicted"]` by pair, and by confidence (ten equal bins) `n0`…`n9`,
`h0`…`h9` and `c0`…`c9`, the sum of confidences in millionths. `w` is the log loss in millionths of a nat; `v` labels
have none, because the probability of the true class is not known. Of two classes, `p000`…`p127` and `q000`…`q127` are
the positive and the negative ones by score (bins of the logit).

Of quantities, in units of about a millionth of the range of the answers in training: `n` labels, and the sums `es` of
errors (predicted less true), `ea` of their sizes, `ee` of their squares, `ys` of labels and `yy` of their squares.
`u:-6` are those whose unit is 10^-6.

`kept` are rows of batch predictions that labels came for: predictions that wait for labels, as those of predict do.
"""

import json
import math
from collections import Counter
from collections.abc import Mapping

from mlops.domain.feedback.kept_answers import UNKNOWN, KeptAnswers, UnknownLabel

CONFIDENCE_BINS = 10
SCORE_BINS = 128
MILLION = 1_000_000
LEAST_PROBABILITY = 1e-15
"""A label that the model thought impossible costs 34.5 nats: the logarithm of zero is infinite."""
LARGEST = 10**14
"""Units that a label or an answer may have: 10^8 times the range in training. DynamoDB adds 38 digits exactly."""
REFUSED = "refused"
"""Labels that came before their answer, and then turned out to be none of the model's."""
KEPT = "kept"
LIFETIME = ("n", "h", "ea", REFUSED)
"""Also counted over a version's whole life."""
_LOGIT_RANGE = 8.0
_UNIT = "u:"

Label = int | float | str
Totals = Counter[str]


def outcome_of(answers: KeptAnswers, row: int, label: Label) -> Totals:
    """Return what the label of a row adds.

    Raises:
        UnknownLabel: It is none of the model's labels, or no quantity that can be compared.
    """
    if answers.labels:
        return _of_class(answers, row, label)
    return _of_quantity(answers.unit, answers.outputs[row][0], label)


def compared(answers: KeptAnswers, row: int, label: Label) -> Totals:
    """Return what the label of a row adds to the counts of a rollout; nothing if only one version has answered.

    Raises:
        UnknownLabel: It is none of the model's labels.
    """
    if answers.other is None:
        return Counter()
    true = answers.place_of(label)
    kept, other = answers.predicted(row) == true, answers.other.places[row] == true
    champion, challenger = (other, kept) if answers.other.is_champion else (kept, other)
    return Counter(labelled=1, lost=int(champion and not challenger), won=int(challenger and not champion))


def pair_of(name: str) -> tuple[str, str] | None:
    """Return the true and the predicted label of a total; None if it counts something else."""
    if not name.startswith("k:"):
        return None
    true, predicted = json.loads(name[2:])
    return true, predicted


def score_bin(score: float) -> int:
    """Return the bin of a probability, by its logit: 0 up to -8, 127 from 8 on."""
    if not 0 < score < 1:
        return SCORE_BINS - 1 if score >= 1 else 0
    place = (math.log(score / (1 - score)) + _LOGIT_RANGE) * SCORE_BINS / (2 * _LOGIT_RANGE)
    return max(0, min(SCORE_BINS - 1, math.floor(place)))


def _of_class(answers: KeptAnswers, row: int, label: Label) -> Totals:
    outputs, true, predicted = answers.outputs[row], answers.place_of(label), answers.predicted(row)
    confidence = min(1.0, max(0.0, outputs[predicted]))
    bin_, right = min(CONFIDENCE_BINS - 1, int(confidence * CONFIDENCE_BINS)), int(true == predicted)
    totals: Totals = Counter(
        {
            "n": 1,
            "h": right,
            f"k:{json.dumps([str(answers.labels[true]), str(answers.labels[predicted])])}": 1,
            f"n{bin_}": 1,
            f"h{bin_}": right,
            f"c{bin_}": round(confidence * MILLION),
        }
    )
    if outputs[true] == UNKNOWN:
        totals["v"] = 1
    else:
        totals["w"] = round(-math.log(min(1.0, max(LEAST_PROBABILITY, outputs[true]))) * MILLION)
    if len(outputs) == 2:
        totals[f"{'p' if true == 1 else 'q'}{score_bin(outputs[1]):03}"] = 1
    return totals


def _of_quantity(unit: int, output: float, label: Label) -> Totals:
    predicted, true = _units(output, unit), _units(quantity_of(label), unit)
    error = predicted - true
    sums = {"es": error, "ea": abs(error), "ee": error * error, "ys": true, "yy": true * true}
    return Counter({"n": 1, f"{_UNIT}{unit}": 1, **sums})


def quantity_of(label: Label) -> int | float:
    """Return a label as a number, also one that is sent as text. Raises UnknownLabel: it is none."""
    try:
        number = float(label) if isinstance(label, str) else label
    except ValueError:
        number = math.nan
    if number != number or number in (math.inf, -math.inf):
        raise UnknownLabel("must be a number: the model predicts a quantity")
    return number


def are_same(first: Label, second: Label, are_quantities: bool) -> bool:
    """Return whether two labels mean the same. Files have text: 7 and "7" are a class, 3.5 and "3.50" a quantity."""
    return str(first) == str(second) or (are_quantities and quantity_of(first) == quantity_of(second))


def are_of_quantities(totals: Mapping[str, int]) -> bool:
    """Return whether totals are of a model that predicts a quantity."""
    return any(name.startswith(_UNIT) for name in totals)


def unit_of(totals: Mapping[str, int]) -> int | None:
    """Return the power of ten of the unit of sums; None if they are of classes, or of several units."""
    units = [int(name.removeprefix(_UNIT)) for name, count in totals.items() if name.startswith(_UNIT) and count]
    return units[0] if len(units) == 1 else None


def _units(value: float, unit: int) -> int:
    try:
        scaled = value * 10.0**-unit
    except OverflowError:  # a whole number beyond all floats
        scaled = math.inf
    if not abs(scaled) <= LARGEST:
        raise UnknownLabel("is too far from every answer in training to be compared; is it in another unit?")
    return round(scaled)
