"""Settings of a function: one frozen, typed object, read from the environment at cold start."""

import os
from dataclasses import MISSING, fields
from typing import Any, TypeVar, dataclass_transform, get_type_hints

T = TypeVar("T")


class MissingSetting(RuntimeError):
    """An environment variable the function cannot start without."""


@dataclass_transform(frozen_default=True)
class Settings:
    """Base of the settings objects: field `jobs_table: str` is read from the variable `JOBS_TABLE`."""

    @classmethod
    def from_environment(cls: type[T]) -> T:
        """Read every field from its environment variable.

        Raises:
            MissingSetting: a variable without a default is not set, or is not of the field's type; names it.
        """
        types = get_type_hints(cls)
        values: dict[str, Any] = {}
        for item in fields(cls):  # type: ignore[arg-type]
            variable = item.name.upper()
            text = os.environ.get(variable)
            if text is None:
                if item.default is MISSING:
                    raise MissingSetting(f"the environment variable {variable} is not set")
                continue
            try:
                values[item.name] = _read(text, types[item.name])
            except ValueError as error:
                raise MissingSetting(
                    f"the environment variable {variable} is not of type {types[item.name].__name__}"
                ) from error
        return cls(**values)


def _read(text: str, kind: type[Any]) -> Any:
    """Raises ValueError. A boolean is `true` or `false`: to Python any text is true."""
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return kind(text)
