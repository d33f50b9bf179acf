"""A process that dies right after one of its calls that change something."""

from collections.abc import Callable
from typing import Any

CHANGES = (
    *("put_object", "delete_object", "delete_objects", "put_object_tagging"),
    *("put_item", "update_item", "transact_write_items", "send_message", "put_events"),
)
"""The methods of boto3 that change something."""


class Crash(BaseException):
    """The process died. Not an Exception, so no handler takes it for an error."""


class Effects:
    """Counts the calls that change something, and dies right after a given one; `seen` names them."""

    def __init__(self) -> None:
        self.seen: list[str] = []
        self.fatal: int | None = None
        self.watch: Callable[[], None] = lambda: None

    @property
    def count(self) -> int:
        return len(self.seen)

    def begin(self, fatal: int | None) -> None:
        """Count from 0 on, and die right after the call of this number."""
        self.seen, self.fatal = [], fatal

    def happened(self, name: str = "") -> None:
        self.seen.append(name)
        self.watch()
        if self.count == self.fatal:
            raise Crash(name)


class Watched:
    """A boto3 client or table whose changing calls are counted."""

    def __init__(self, inner: Any, effects: Effects) -> None:
        self._inner, self._effects = inner, effects

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._inner, name)
        if name not in CHANGES:
            return found

        def call(**arguments: Any) -> Any:
            answer = found(**arguments)
            self._effects.happened(name)
            return answer

        return call
