"""Read the fields of a manifest by name and type.

Imports only the standard library, as `mlops.domain.manifest` does.
"""

import math
from collections.abc import Callable, Iterable
from typing import Any

_LARGEST = 2**63 - 1
"""Whole numbers have 64 bits: orjson and DynamoDB do not accept larger ones."""


class ManifestError(ValueError):
    """This code cannot use the manifest. The message names the field and says what is wrong."""


class Fields:
    """Reads the fields of a JSON object by name and type. Other fields are ignored; a field that is null is absent.

    Raises:
        ManifestError: A field is missing or has another type. The message has its path.
    """

    def __init__(self, value: Any, path: str = "") -> None:
        if not isinstance(value, dict):
            raise ManifestError(f"the field {path} is not an object" if path else "the manifest is not a JSON object")
        self._values, self._path = value, path

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None

    def get(self, name: str) -> Any:
        return self._values.get(name)

    def names(self) -> Iterable[str]:
        return self._values

    def text(self, name: str) -> str:
        value: str = self._checked(name, is_text, "text in Unicode")
        return value

    def whole(self, name: str, *, least: int) -> int:
        value: int = self._checked(name, lambda n: is_whole(n) and n >= least, f"a whole number ≥ {least}")
        return value

    def number(self, name: str) -> float:
        value: float = self._checked(name, is_number, "a finite number")
        return value

    def numbers(self, name: str) -> list[float]:
        value: list[float] = self._checked(
            name, lambda items: isinstance(items, list) and all(map(is_number, items)), "a list of finite numbers"
        )
        return value

    def items(self, name: str) -> list[Any]:
        value: list[Any] = self._checked(name, lambda items: isinstance(items, list), "a list")
        return value

    def object(self, name: str) -> "Fields":
        return Fields(self._checked(name, lambda entry: isinstance(entry, dict), "an object"), self._named(name))

    def _checked(self, name: str, is_right: Callable[[Any], bool], what: str) -> Any:
        if name not in self._values:
            raise ManifestError(f"the field {self._named(name)} is missing")
        value = self._values[name]
        if not is_right(value):
            raise ManifestError(f"the field {self._named(name)} is not {what}")
        return value

    def _named(self, name: str) -> str:
        """Return the path of a field for a message, shortened and escaped: names may be long, or not Unicode."""
        return f"{self._path}.{name[:100]}".removeprefix(".").encode(errors="backslashreplace").decode()


def is_text(value: Any) -> bool:
    """Return whether the value is a str that UTF-8 can encode: JSON can contain half of a surrogate pair."""
    if not isinstance(value, str):
        return False
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_whole(value: Any) -> bool:
    return type(value) is int and -_LARGEST <= value <= _LARGEST


def is_number(value: Any) -> bool:
    return is_whole(value) or (type(value) is float and math.isfinite(value))


def is_not_finite(value: Any) -> bool:
    return type(value) is float and not math.isfinite(value)
