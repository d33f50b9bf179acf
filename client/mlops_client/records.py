"""Converts the API's JSON to dataclasses.

Unknown fields of a newer API are ignored. A missing field is an error.
"""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from typing import Any, TypeVar

from mlops_client.errors import Unreachable

T = TypeVar("T")


def decode(kind: type[T], data: Any) -> T:
    """Return `data`, parsed JSON, as the dataclass `kind`.

    Raises:
        Unreachable: The answer is from something else, or from another version of the API.
    """
    try:
        record: T = _value(kind, data)
        return record
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(
            f"the answer is not a {kind.__name__} ({error!r}); client and platform may have different versions: "
            "mlops doctor shows both"
        ) from error


def decode_page(kind: type[T], page: Any, field: str) -> list[T]:
    """Return the records in the list `field` of a page. Raises as `decode`."""
    if not isinstance(page, dict) or not isinstance(page.get(field), list):
        raise Unreachable(
            f"the answer is not a page of {field}; check the address, and that client and platform have the same "
            "version"
        )
    return [decode(kind, item) for item in page[field]]


def _value(kind: Any, data: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return _record(kind, data)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _value(_alternative(arguments, data), data)
    if origin is list:
        return [_value(arguments[0], item) for item in data]
    if origin is dict:
        return {name: _value(arguments[1], item) for name, item in data.items()}
    if kind is float:
        return float(data)
    return data


def _alternative(kinds: tuple[Any, ...], data: Any) -> Any:
    """Return the list or dict of a union, if the data are one, and otherwise its first type."""
    return next((kind for kind in kinds if typing.get_origin(kind) is type(data)), kinds[0])


def _record(kind: Any, data: Any) -> Any:
    hints = _hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            values[field.name] = _value(hints[field.name], data[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(field.name)
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
