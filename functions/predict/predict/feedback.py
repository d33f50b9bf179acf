"""The id of an answer, and what its log line keeps of the answer until the label is known.

prediction_log stores it, so no request waits for that. Of a cached answer the line repeats it under another id.
"""

import binascii
import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import orjson

from mlops.domain.feedback.prediction_id import Mint, PredictionId

if TYPE_CHECKING:
    import numpy as np

    from mlops.domain.manifest import Manifest

SHARE = float(os.environ.get("FEEDBACK_SHARE", "1"))
BATCH_SHARE = float(os.environ.get("FEEDBACK_BATCH_SHARE", "0.1"))
"""Of requests for several rows."""
MAX_NUMBERS = 16_384
"""Outputs that a line keeps: 88 of the 256 kB that it may have. The first rows of a larger batch are kept."""
MAX_LABELS_CHARACTERS = 32_768
"""Of the labels of a model; with more nothing is kept."""
OWN_ID = "id"
"""The name in a row that is its caller's id, unless the model has a column of that name."""


class Kept(NamedTuple):
    """What is kept of a request's answers: JSON fields without braces, and empty if it is nothing."""

    fields: str
    rows: int

    def line(self, minted: PredictionId, other: Sequence[int] = ()) -> str:
        """Return the field for the log line, with a comma before; nothing if the id is not sampled.

        Args:
            minted: The id.
            other: The places, among the labels, of what the other version of a rollout has answered.
        """
        if not minted.sampled or not self.rows:
            return ""
        more = f',"other":{orjson.dumps(other[: self.rows]).decode()}' if other else ""
        return f',"feedback":{{"id":"{minted.text}",{self.fields}{more}}}'


NOTHING = Kept("", 0)


ids = Mint()


def new_id(rows: int) -> PredictionId:
    """Make the id of a request for so many rows."""
    return ids.make(SHARE if rows == 1 else BATCH_SHARE)


def with_id(body: str, minted: PredictionId, fields: str = "") -> str:
    """Return an answer's JSON object with the id before its other fields. `fields` is JSON that ends with a comma."""
    return f'{{"prediction_id":"{minted.text}",{fields}{body[1:]}'


class AnswerKeeper:
    """Makes the log's part of one loaded model's answers."""

    def __init__(self, manifest: "Manifest") -> None:
        quantity = manifest.predicts_quantity
        constant: dict[str, Any] = {"unit": manifest.error_unit} if quantity else {"labels": manifest.labels}
        if manifest.decision_threshold is not None:
            constant["threshold"] = manifest.decision_threshold
        self._constant = orjson.dumps(constant)[1:-1].decode()
        self._keeps = len(self._constant) <= MAX_LABELS_CHARACTERS

    def kept(self, outputs: "np.ndarray", own: Sequence[str] = ()) -> Kept:
        """Return what is kept of answers.

        Args:
            outputs: float32 `[n, k]`: probabilities of the labels, or one quantity.
            own: The callers' ids of the rows, as `own_ids` returns them; empty if they have none.
        """
        if not self._keeps:
            return NOTHING
        rows, columns = outputs.shape
        if rows * columns > MAX_NUMBERS:
            rows = MAX_NUMBERS // columns
            if not rows:
                return NOTHING
            outputs, own = outputs[:rows], own[:rows]
        numbers = binascii.b2a_base64(outputs.tobytes(), newline=False).decode()
        more = f',"own":{orjson.dumps(own).decode()}' if own else ""
        return Kept(f'"n":{rows},"outputs":"{numbers}",{self._constant}{more}', rows)
