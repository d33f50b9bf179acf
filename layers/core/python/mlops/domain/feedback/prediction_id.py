"""The id of a request's predictions. predict makes it, so no caller can choose it and no cached answer repeats it.

15 bytes in base64url without padding, which are 20 characters: five bytes with the time in seconds and the flag
`sampled`, and ten random bytes. Imports the standard library only, because predict imports it at its cold start.
"""

import binascii
import os
import time
from typing import NamedTuple

TIME_BYTES, RANDOM_BYTES = 5, 10
_TAIL_BYTES = 9
"""The last random bytes: as three divides their number, their characters are theirs alone."""
_TAIL_LENGTH = _TAIL_BYTES // 3 * 4
LENGTH = 20
_DRAW_BYTES = 4
_STEPS = 1 << 8 * _DRAW_BYTES
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
    """Makes ids. Their random text is made for many at once, and the text of the time once a second.

    An id that is made alone would cost a system call, and two and a half microseconds instead of one.
    """

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop the random text that is left: a snapshot of the process would use it twice."""
        self._tails: list[tuple[int, str]] = []
        self._second = -1

    def make(self, share: float) -> PredictionId:
        """Make an id. `share` is the part of the ids that are sampled, 0 to 1."""
        seconds = int(time.time())
        if seconds != self._second:
            self._second, self._heads = seconds, _heads(seconds)
        if not self._tails:
            self._tails = _tails()
        draw, tail = self._tails.pop()
        sampled = draw < share * _STEPS
        return PredictionId(self._heads[sampled] + tail, seconds, sampled)


def _heads(seconds: int) -> tuple[str, str]:
    """Return the first 8 characters of this second's ids: of those that are not sampled, and of those that are.

    They hold the time and the first random byte. The other nine are enough to keep the ids of one second apart.
    """
    random = os.urandom(RANDOM_BYTES - _TAIL_BYTES)
    unsampled, sampled = (text_of((seconds << 1 | flag).to_bytes(TIME_BYTES) + random) for flag in (0, 1))
    return unsampled, sampled


def _tails() -> list[tuple[int, str]]:
    """Return, for many ids, the number that decides whether one is sampled, and its last characters."""
    draws = memoryview(os.urandom(_DRAW_BYTES * _IDS_AT_ONCE)).cast("I")
    text = text_of(os.urandom(_TAIL_BYTES * _IDS_AT_ONCE))
    return [*zip(draws, (text[at : at + _TAIL_LENGTH] for at in range(0, len(text), _TAIL_LENGTH)), strict=True)]


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
    """Return bytes in base64url: 15, for example, as 20 characters."""
    return binascii.b2a_base64(packed, newline=False).translate(_TO_URL).decode()
