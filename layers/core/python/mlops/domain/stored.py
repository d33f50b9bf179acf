"""Records as they are stored: fields that are None are left out."""

from collections.abc import Mapping
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def known_fields(kind: "type[DataclassInstance]", record: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of a stored record that this version of its class has."""
    names = (entry.name for entry in fields(kind))
    return {name: record[name] for name in names if record.get(name) is not None}


def stored_fields(instance: "DataclassInstance") -> dict[str, Any]:
    """Return the fields of a record that are to be stored."""
    return {name: value for name, value in asdict(instance).items() if value is not None}
