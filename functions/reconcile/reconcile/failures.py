"""Loops that continue if one item fails."""

from collections.abc import Iterator
from contextlib import contextmanager

from aws_lambda_powertools import Logger

logger = Logger(child=True)


class Failures:
    """The failures of a loop. They are logged at once, and raised together at the end."""

    def __init__(self) -> None:
        self._errors: list[Exception] = []

    @contextmanager
    def isolated(self, item: str) -> Iterator[None]:
        """Handle one item. An exception is logged and kept for `raise_all`."""
        try:
            yield
        except Exception as error:
            self.add(item, error)

    def add(self, item: str, error: Exception) -> None:
        """Log the failure of an item and keep it for `raise_all`."""
        logger.error("item failed", item=item, exc_info=error)
        error.add_note(item)
        self._errors.append(error)

    def raise_all(self) -> None:
        """Raise ExceptionGroup if any item failed."""
        if self._errors:
            raise ExceptionGroup("some items failed; the next round tries them again", self._errors)
