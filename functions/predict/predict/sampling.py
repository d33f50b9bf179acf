"""Which requests are measured for drift: all of a quiet hour, and a share of a busy one.

Some thousand rows or images describe an hour, and the time and the log of more would be wasted.
"""

import time

ROWS_PER_HOUR = 2000
"""Of a loaded model. After so many measured rows, only half as many requests are measured, and so on."""
HOUR = 3600


class Sampling:
    """Decides which requests are counted: each `stride`-th on average, by the request id.

    By the id, because every eighth request could always come from the same client. An hour begins with the stride that
    would have fitted the hour before, so that the counts of a steady day are spread evenly over its hours.
    """

    def __init__(self) -> None:
        self.stride = 1
        self._hour_ends, self._seen, self._counted = 0, 0, 0

    def takes(self, request_id: str, rows: int, known_stride: int = 1) -> int:
        """Return the stride by which a request is chosen, or 0 if its rows are not counted.

        Args:
            request_id: The request's id.
            rows: How many it has.
            known_stride: Of a repeated request, the stride by which the first one was chosen. Its repetitions are
                chosen that much more often, so that every row counts with the same probability.
        """
        now = time.time()
        if now >= self._hour_ends:
            follows = now < self._hour_ends + HOUR
            self.stride = _power_of_two(self._seen // ROWS_PER_HOUR) if follows else 1
            self._hour_ends, self._seen, self._counted = (int(now) // HOUR + 1) * HOUR, 0, 0
        self._seen += rows
        if hash(request_id) % self.stride >= known_stride:
            return 0
        chosen_by = self.stride
        self._counted += rows
        if self._counted >= ROWS_PER_HOUR:
            self._counted = 0
            self.stride *= 2
        return chosen_by


def _power_of_two(number: int) -> int:
    """Return the largest power of two that is at most the number, and at least 1."""
    return 1 << max(0, number.bit_length() - 1)
