"""Cursors of lists: opaque to the caller, a key of ours inside."""

import base64
import binascii

from mlops.domain.errors import ValidationFailed


def encode_cursor(key: str) -> str:
    return base64.urlsafe_b64encode(key.encode()).decode()


def decode_cursor(cursor: str) -> str:
    """Raises ValidationFailed for a cursor that no list answered."""
    try:
        return base64.b64decode(cursor.encode(), altchars=b"-_", validate=True).decode()
    except (binascii.Error, UnicodeDecodeError) as error:
        raise ValidationFailed("cursor is not one that a list answered; leave it out to start anew") from error
