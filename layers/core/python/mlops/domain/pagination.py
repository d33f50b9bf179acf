"""Cursors of lists. They are opaque to the caller, and contain a key of the list."""

import base64

from mlops.domain.errors import ValidationFailed


def encode_cursor(key: str) -> str:
    """Make the cursor of the page after `key`."""
    return base64.urlsafe_b64encode(key.encode()).decode()


def decode_cursor(cursor: str, max_bytes: int | None = None) -> str:
    """Return the key in a cursor; the store of the list takes keys of at most `max_bytes`.

    Raises:
        ValidationFailed: No list has returned this cursor.
    """
    try:
        key = base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except ValueError as error:  # not base64, or not text
        raise unknown_cursor() from error
    if not key or "\0" in key or (max_bytes is not None and len(key.encode()) > max_bytes):
        raise unknown_cursor()
    return key


def unknown_cursor() -> ValidationFailed:
    """Make the error of a cursor that this list has not returned."""
    return ValidationFailed.of_field(
        "cursor", "is not a cursor of this list in this order; send the next_cursor of the previous page, or no cursor"
    )
