"""Read the settings of a function from the environment at cold start, into a frozen, typed object."""

import os
from dataclasses import MISSING, fields
from typing import Any, TypeVar, dataclass_transform, get_type_hints

T = TypeVar("T")


class MissingSetting(RuntimeError):
    """The function cannot start: an environment variable is not set, or has a wrong value."""


@dataclass_transform(frozen_default=True)
class Settings:
    """Base of the settings objects. The field `jobs_table: str` is read from the variable `JOBS_TABLE`."""

    @classmethod
    def from_environment(cls: type[T]) -> T:
        """Read each field from its environment variable.

        Raises:
            MissingSetting: A variable without a default is not set, or its value does not have the field's type.
        """
        types = get_type_hints(cls)
        values: dict[str, Any] = {}
        for setting in fields(cls):  # type: ignore[arg-type]
            variable = setting.name.upper()
            text = os.environ.get(variable)
            if text is None:
                if setting.default is MISSING:
                    raise MissingSetting(f"the environment variable {variable} is not set")
                continue
            try:
                values[setting.name] = _read(text, types[setting.name])
            except ValueError as error:
                raise MissingSetting(
                    f"the environment variable {variable} is not of type {types[setting.name].__name__}"
                ) from error
        return cls(**values)


def _read(text: str, kind: type[Any]) -> Any:
    """Convert a value. Raises ValueError. A boolean is `true` or `false`: bool() is true for any text."""
    if kind is bool:
        if text.lower() not in ("true", "false"):
            raise ValueError(text)
        return text.lower() == "true"
    return kind(text)
