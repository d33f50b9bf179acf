"""What each column adds to an answer, exactly, and the file in which a model keeps what that needs.

Training writes the file beside the model, whose metadata has its hash. predict loads it at the first explanation.
"""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any, Protocol

import numpy as np

from mlops_contract.agreement import Array
from mlops_contract.file_names import EXPLAIN_FILE as EXPLAIN_FILE
from mlops_contract.tree_paths import TreePaths

ENCODED = "encoded"
"""The model's further output: the features that it sums over, float32 `[n, features]`."""
MAX_BYTES = 64 << 20
"""Of the arrays of a file, unpacked."""
TOLERANCE = 1e-3
"""By how much the sum may miss the model's answer: a probability, or a share of the quantity."""


class Sum(StrEnum):
    """What base and parts add up to."""

    LOG_ODDS = "log_odds"
    """The log-odds of one of two classes."""
    SCORE = "score"
    """The score of one of several classes: the softmax of all scores is the probabilities."""
    PROBABILITY = "probability"
    """The probability of a class."""
    VALUE = "value"
    """The predicted quantity."""
    LOG_VALUE = "log_value"
    """The natural logarithm of the predicted quantity."""


class NoExplanation(Exception):
    """A model's answers have no exact parts that can be had in time. The message says why."""


class UnreadableExplanation(ValueError):
    """The bytes are not such a file."""


class Summands(Protocol):
    """A model as a sum over its features. A sum of log-odds has one output, that of the second class."""

    @property
    def outputs(self) -> int: ...

    @property
    def features(self) -> int:
        """One more than the last feature that it looks at."""

    @property
    def work(self) -> int:
        """Steps that a row takes to explain, roughly."""

    @property
    def base(self) -> Array:
        """What the sums are if nothing is known of the row, float64 `[outputs]`."""

    def scores(self, row: Array) -> Array:
        """Return the sums for a row float32 `[features]`, float64 `[outputs]`."""

    def parts(self, row: Array, output: int) -> Array:
        """Return what each feature of a row adds to the base of an output, float64 `[features]`."""

    def scaled(self, slope: float, offsets: Array) -> "Summands":
        """Return the same with its sums times `slope`, plus `offsets` float64 `[outputs]`."""

    def arrays(self) -> Mapping[str, Array]:
        """Return all of it as plain arrays."""


@dataclass(frozen=True, eq=False)
class Linear:
    """A linear model: each feature adds its coefficient times how far it is from its mean.

    For features that are independent these are the Shapley values against the mean row (interventional).

    Attributes:
        coefficients: float64 `[outputs, features]`.
        means: Of the features, float64 `[features]`.
        start: The intercepts, float64 `[outputs]`.
    """

    coefficients: Array
    means: Array
    start: Array

    @property
    def outputs(self) -> int:
        return len(self.start)

    @property
    def features(self) -> int:
        return len(self.means)

    @property
    def work(self) -> int:
        return self.coefficients.size

    @property
    def base(self) -> Array:
        return self.scores(self.means)

    def scores(self, row: Array) -> Array:
        return np.asarray(self.start + self.coefficients @ row.astype(np.float64))

    def parts(self, row: Array, output: int) -> Array:
        return np.asarray(self.coefficients[output] * (row.astype(np.float64) - self.means))

    def scaled(self, slope: float, offsets: Array) -> "Linear":
        return replace(self, coefficients=slope * self.coefficients, start=slope * self.start + offsets)

    def arrays(self) -> Mapping[str, Array]:
        return {"coefficients": self.coefficients, "means": self.means, "start": self.start}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Array]) -> "Linear":
        """Read it. Raises ValueError if the arrays do not fit each other."""
        linear = cls(*(np.asarray(arrays[name], np.float64) for name in ("coefficients", "means", "start")))
        if linear.coefficients.shape != (len(linear.start), len(linear.means)):
            raise ValueError("the coefficients do not fit the means")
        return linear


_KINDS: dict[str, type[TreePaths] | type[Linear]] = {"trees": TreePaths, "linear": Linear}


@dataclass(frozen=True, eq=False)
class Explained:
    """The parts of one answer.

    Attributes:
        base: What the sum is if nothing is known of the row.
        parts: What each column adds to it, float64 `[columns]`.
    """

    base: float
    parts: Array


@dataclass(frozen=True, eq=False)
class Explanation:
    """How the answers of a model are explained.

    Attributes:
        sum: What base and parts add up to.
        summands: The model as a sum over its features.
        columns: The place among the contract's columns of the column that each feature is made of, int32 `[features]`.
    """

    sum: Sum
    summands: Summands
    columns: Array

    def explain(self, row: Array, chosen: int, columns: int) -> Explained:
        """Explain an answer.

        Args:
            row: The features, float32 `[features]`.
            chosen: The class, by its place; 0 for a quantity.
            columns: How many columns the contract has.
        """
        if self.sum is Sum.LOG_ODDS:
            output, sign = 0, 1.0 if chosen == 1 else -1.0
        else:
            output, sign = chosen, 1.0
        parts = sign * self.summands.parts(row, output)
        return Explained(
            sign * float(self.summands.base[output]),
            np.bincount(self.columns[: len(parts)], parts, minlength=columns),
        )

    def answers(self, row: Array) -> Array:
        """Return the model's answer as the sums give it, float64 `[classes]`, or `[1]` for a quantity."""
        scores = self.summands.scores(row)
        if self.sum is Sum.LOG_ODDS:
            scores = np.array([0.0, scores[0]])
        if self.sum in (Sum.LOG_ODDS, Sum.SCORE):
            shifted = np.exp(scores - scores.max())
            return np.asarray(shifted / shifted.sum())
        return np.exp(scores) if self.sum is Sum.LOG_VALUE else scores

    def fits(self, row: Array, answer: Array) -> bool:
        """Return whether the sums give the answer of the model, float32 `[classes]` or `[1]`."""
        own = self.answers(row)
        if own.shape != answer.shape:
            return False
        size = 1.0 if self.sum not in (Sum.VALUE, Sum.LOG_VALUE) else max(float(np.abs(own[0])), _spread(self, row))
        return bool(np.abs(own - answer).max() <= TOLERANCE * size)

    def scaled(self, slope: float, offsets: Array) -> "Explanation":
        """Return that of a model whose sums are `slope` times these, plus `offsets`."""
        return replace(self, summands=self.summands.scaled(slope, offsets))

    def over(self, places: Array) -> "Explanation":
        """Return the same over other columns: `places[i]` is the place of what was column `i`."""
        return replace(self, columns=np.asarray(places, np.int32)[self.columns])

    def to_bytes(self) -> bytes:
        """Return the file, an npz of plain arrays. The same explanation gives the same bytes.

        Raises:
            NoExplanation: It would be larger than `MAX_BYTES`.
        """
        kind = next(name for name, kind in _KINDS.items() if isinstance(self.summands, kind))
        arrays: dict[str, Any] = {
            "kind": np.array(kind),
            "sum": np.array(str(self.sum)),
            "columns": self.columns.astype(np.int32),
            **self.summands.arrays(),
        }
        unpacked = sum(np.asarray(array).nbytes for array in arrays.values())
        if unpacked > MAX_BYTES // 2:  # headers, and what is computed from it when it is loaded
            raise NoExplanation(
                f"what its explanations need takes {unpacked:,} bytes, and at most {MAX_BYTES // 2:,} are kept; "
                "train fewer or smaller trees"
            )
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes, columns: int) -> "Explanation":
        """Read a file for a contract of so many columns.

        Raises:
            UnreadableExplanation: It is not one of `to_bytes`, or of another contract.
        """
        try:
            # zipfile never returns more bytes than the directory says.
            unpacked = sum(item.file_size for item in zipfile.ZipFile(io.BytesIO(data)).infolist())
            if unpacked > MAX_BYTES:
                raise ValueError(f"{unpacked:,} bytes are more than {MAX_BYTES:,}")
            with np.load(io.BytesIO(data), allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            summands: Summands = _KINDS[str(arrays["kind"])].from_arrays(arrays)
            found = cls(Sum(str(arrays["sum"])), summands, arrays["columns"].astype(np.int32))
            if len(found.columns) < summands.features or not np.isin(found.columns, np.arange(columns)).all():
                raise ValueError("its features are not those of the contract's columns")
        except Exception as error:  # zipfile and numpy raise a dozen unrelated types
            raise UnreadableExplanation(f"{type(error).__name__}: {error}") from error
        return found


def _spread(explanation: Explanation, row: Array) -> float:
    """Return how far a row's sum is from the base: an answer near zero is the difference of larger numbers."""
    summands = explanation.summands
    return float(np.abs(summands.scores(row) - summands.base).max())
