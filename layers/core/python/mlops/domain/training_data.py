"""What a training request says about its data: the address, and for a table its target, columns and held-out rows."""

from typing import Annotated, Any, Literal, get_args
from urllib.parse import urlsplit

from pydantic import ConfigDict, Discriminator, Field, Tag

from mlops.domain.request import Request

DataKind = Literal["table", "vector", "image"]
Conversion = Literal["ignore", "number", "category", "boolean", "datetime"]
"""What a column is taken for, where the inference from its values is wrong."""
CONVERSIONS: tuple[Conversion, ...] = get_args(Conversion)

ColumnName = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f]{1,200}$")]
TABLES = (".csv", ".tsv", ".parquet", ".jsonl", ".ndjson")
"""Suffixes of tables. Text formats may be packed."""
PACKINGS = (".gz", ".zst")
IMAGES = ("digits", "mnist")
"""The data sets that the platform knows by name."""


class HeldOutRows(Request):
    """Which rows are held out: those from a time on, or those of some groups."""

    column: Annotated[
        ColumnName, Field(description="With `from`, a column of times or numbers; else of groups, which stay together")
    ]
    start: Annotated[
        str | None,
        Field(
            alias="from",
            min_length=1,
            max_length=100,
            description="Hold out the rows from this value on, such as 2026-01-01",
        ),
    ] = None

    model_config = ConfigDict(validate_by_name=True, validate_by_alias=True, serialize_by_alias=True)


def _form(value: Any) -> str | None:
    """Return which form of `HeldOut` a value has, so that an error speaks of this form only."""
    if isinstance(value, dict | HeldOutRows):
        return "rows"
    return "share" if isinstance(value, int | float) and not isinstance(value, bool) else None


HeldOut = Annotated[
    Annotated[float, Field(ge=0.05, le=0.5), Tag("share")] | Annotated[HeldOutRows, Tag("rows")],
    Discriminator(
        _form,
        custom_error_type="held_out",
        custom_error_message="Input should be a share, or an object with column and from",
    ),
]


def known_task(dataset: str, task: str | None) -> str | None:
    """Return the task of a request as far as it is known before the data is read: only tables have quantities."""
    return task or (None if "table" in kinds_of(dataset) else "classification")


def kinds_of(address: str) -> frozenset[DataKind]:
    """Return what the data at an address can be, as far as the address tells."""
    if address in IMAGES:
        return frozenset({"image"})
    path = (address if address.startswith("s3://") else urlsplit(address).path).lower()
    for packing in PACKINGS:
        path = path.removesuffix(packing)
    if path.endswith(("/", *TABLES)):
        return frozenset({"table"})
    if path.endswith(".npz"):
        return frozenset({"vector", "image"})
    return frozenset(get_args(DataKind))
