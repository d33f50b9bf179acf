"""The id of a request's predictions. predict makes it, so no caller can choose it and no cached answer repeats it.

15 bytes in base64url without padding, which are 20 characters: five bytes with the time in seconds and the flag
`sampled`, and ten random bytes. Imports the standard library only, because predict imports it at its cold start.
"""

import binascii
import os
import time
from typing import NamedTuple

TIME_BYTES, RANDOM_BYTES = 5, 10
LENGTH = 20
_STEPS = 1 << 32
_IDS_AT_ONCE = 256
_TO_URL = bytes.maketrans(b"+/", b"-_")
_FROM_URL = bytes.maketrans(b"-_", b"+/")


class Malformed(ValueError):
    """The text is no id that predict makes."""


class PredictionId(NamedTuple):
    """An id.

    Attributes:
        text: What the caller gets.
        seconds: The Unix time at which it was made.
        sampled: Whether the predictions are kept, to be compared with labels.
    """

    text: str
    seconds: int
    sampled: bool


class Mint:
    """Makes ids. It asks the system for random bytes once for many ids, because each time is a system call."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop the random bytes that are left: a snapshot of the process would use them twice."""
        self._random, self._at = b"", 0

    def make(self, share: float) -> PredictionId:
        """Make an id. `share` is the part of the ids that are sampled, 0 to 1."""
        if self._at == len(self._random):
            self._random, self._at = os.urandom(RANDOM_BYTES * _IDS_AT_ONCE), 0
        random = self._random[self._at : self._at + RANDOM_BYTES]
        self._at += RANDOM_BYTES
        sampled = int.from_bytes(random[:4]) < share * _STEPS
        seconds = int(time.time())
        return PredictionId(text_of((seconds << 1 | sampled).to_bytes(TIME_BYTES) + random), seconds, sampled)


def parse(text: str) -> PredictionId:
    """Read an id. Raises Malformed."""
    if len(text) != LENGTH or not text.isascii():
        raise Malformed(f"must have {LENGTH} letters, digits, - and _")
    try:
        packed = binascii.a2b_base64(text.encode().translate(_FROM_URL), strict_mode=True)
    except binascii.Error as error:
        raise Malformed(f"must have {LENGTH} letters, digits, - and _") from error
    if len(packed) != TIME_BYTES + RANDOM_BYTES or text_of(packed) != text:  # + and / are base64, but not of URLs
        raise Malformed(f"must have {LENGTH} letters, digits, - and _")
    stamp = int.from_bytes(packed[:TIME_BYTES])
    return PredictionId(text, stamp >> 1, bool(stamp & 1))


def text_of(packed: bytes) -> str:
    """Return 15 bytes as 20 characters."""
    return binascii.b2a_base64(packed, newline=False).translate(_TO_URL).decode()
