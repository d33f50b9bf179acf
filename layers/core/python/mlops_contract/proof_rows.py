"""The rows of a proof in a file of their own: what a model was asked, and what the original answered.

The trainer writes the file, and the model's metadata has its hash. Promotion's gate asks the rows again.
"""

import io
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mlops_contract.agreement import Array
from mlops_contract.contract import CATEGORIES
from mlops_contract.file_names import PROOF_FILE as PROOF_FILE

MAX_ROWS = 1_000
MAX_BYTES = 8 << 20
"""Of the arrays of a file, unpacked."""
_EXPECTED, _SCALE = "expected", "scale"
_ITEM_BYTES = 4  # of a float32, and of a character of numpy's text
_HEADER_BYTES = 1_024  # of all arrays, at least


class UnreadableRows(ValueError):
    """The bytes are not such a file."""


@dataclass(frozen=True, eq=False)
class ProofRows:
    """Rows and answers.

    Attributes:
        feeds: The model's inputs by name: for a table `numbers` float32 `[n, k]` and `categories` strings as objects
            `[n, m]`, otherwise one tensor float32 `[n, k]`.
        expected: The original's answers: float32 `[n, classes]`, or `[n, 1]` for a quantity.
        scale: What differences are measured by: 1, or the target's interquartile range for a quantity.
    """

    feeds: Mapping[str, Array]
    expected: Array
    scale: float

    def __len__(self) -> int:
        return len(self.expected)

    def batches(self, size: int) -> Iterator[dict[str, Array]]:
        """Yield the inputs of at most `size` rows at a time."""
        for start in range(0, len(self), size):
            yield {name: values[start : start + size] for name, values in self.feeds.items()}

    def to_bytes(self) -> bytes:
        """Return the file, an npz of plain arrays. Text has a fixed width there, so no array needs pickle."""
        arrays: dict[str, Any] = {**self.feeds, _EXPECTED: self.expected, _SCALE: np.float64(self.scale)}
        if CATEGORIES in arrays:
            arrays[CATEGORIES] = arrays[CATEGORIES].astype(str)
        file = io.BytesIO()
        np.savez_compressed(file, allow_pickle=False, **arrays)
        return file.getvalue()

    @classmethod
    def from_bytes(cls, data: bytes) -> "ProofRows":
        """Read a file.

        Raises:
            UnreadableRows: It is not one of `to_bytes`, or larger than `MAX_BYTES`.
        """
        try:
            # zipfile never returns more bytes than the directory says.
            unpacked = sum(item.file_size for item in zipfile.ZipFile(io.BytesIO(data)).infolist())
            if unpacked > MAX_BYTES:
                raise ValueError(f"{unpacked:,} bytes are more than {MAX_BYTES:,}")
            with np.load(io.BytesIO(data), allow_pickle=False) as arrays:
                feeds = {name: arrays[name] for name in arrays.files if name not in (_EXPECTED, _SCALE)}
                expected, scale = arrays[_EXPECTED], float(arrays[_SCALE])
        except Exception as error:  # zipfile and numpy raise a dozen unrelated types
            raise UnreadableRows(f"it is no npz file of plain arrays ({type(error).__name__}: {error})") from error
        rows = {values.shape[0] if values.ndim == 2 else 0 for values in (expected, *feeds.values())}
        if not feeds or len(rows) != 1 or 0 in rows or not scale > 0:
            raise UnreadableRows("its arrays do not fit each other")
        if CATEGORIES in feeds:
            feeds[CATEGORIES] = feeds[CATEGORIES].astype(object)
        return cls(feeds, expected, scale)


def most_rows(feeds: Mapping[str, Array], outputs: int) -> int:
    """Return how many of the rows a file may have: at most `MAX_ROWS`, and `MAX_BYTES` with `outputs` answers each."""
    width: int = outputs + sum(
        values.shape[1] * (max(map(len, values.flat), default=0) if name == CATEGORIES else 1)
        for name, values in feeds.items()
    )
    fitting: int = (MAX_BYTES - _HEADER_BYTES) // (width * _ITEM_BYTES)
    return max(1, min(MAX_ROWS, fitting))
