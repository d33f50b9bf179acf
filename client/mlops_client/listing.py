"""A list of records with the total count, which can become a pandas table."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from mlops_client.errors import MlopsError

if TYPE_CHECKING:
    import pandas

T = TypeVar("T")


class Listing(list[T]):
    """Records in the API's order.

    Attributes:
        total_count: The number of records in the API, if it counts them, or in this list.
        next_cursor: The cursor of the next page, if there is one.
    """

    def __init__(
        self, records: Iterable[T] = (), total_count: int | None = None, next_cursor: str | None = None
    ) -> None:
        super().__init__(records)
        self.total_count = len(self) if total_count is None else total_count
        self.next_cursor = next_cursor

    def to_frame(self) -> pandas.DataFrame:
        """Return a table with one row per record; nested fields become columns such as `metrics.accuracy`.

        Raises:
            MlopsError: pandas is not installed.
        """
        try:
            import pandas
        except ImportError:
            raise MlopsError("to_frame() needs pandas: pip install 'mlops-client[frames]'") from None
        return pandas.DataFrame([_flat(dataclasses.asdict(record)) for record in self])  # type: ignore[call-overload]


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[f"{prefix}{name}"] = value
    return flat
