"""Makes dataclasses of the API's JSON. Fields that a newer API adds are passed over; a missing one is an error."""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from typing import Any, TypeVar

from mlops_client.errors import Unreachable

T = TypeVar("T")


def decode(kind: type[T], data: Any) -> T:
    """`data`, parsed JSON, as the dataclass `kind`.

    Raises Unreachable: what answered is not this API, or one of another version.
    """
    try:
        found: T = _decoder(kind, data)
        return found
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Unreachable(
            f"the answer is no {kind.__name__} ({error!r}); are client and platform of one version?"
        ) from error


def decode_page(kind: type[T], page: Any, field: str) -> list[T]:
    """The records in the list `field` of a page of parsed JSON. Raises as `decode`."""
    if not isinstance(page, dict) or not isinstance(page.get(field), list):
        raise Unreachable(
            f"the answer is no page of {field}; is the address right, and are client and platform of one version?"
        )
    return [decode(kind, each) for each in page[field]]


def _decoder(kind: Any, data: Any) -> Any:
    if dataclasses.is_dataclass(kind):
        return _record(kind, data)
    origin, arguments = typing.get_origin(kind), typing.get_args(kind)
    if origin in (types.UnionType, typing.Union):
        return None if data is None else _decoder(arguments[0], data)
    if origin is list:
        return [_decoder(arguments[0], each) for each in data]
    if origin is dict:
        return {name: _decoder(arguments[1], each) for name, each in data.items()}
    if kind is float:
        return float(data)
    return data


def _record(kind: Any, data: Any) -> Any:
    hints = _hints(kind)
    values = {}
    for field in dataclasses.fields(kind):
        if field.name in data:
            values[field.name] = _decoder(hints[field.name], data[field.name])
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise KeyError(field.name)
    return kind(**values)


@cache
def _hints(kind: Any) -> dict[str, Any]:
    return typing.get_type_hints(kind)
