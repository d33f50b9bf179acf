"""Count every line once, even if it is delivered again, alone or with other lines.

Each minute of a log stream has a list of markers. A marker holds the ids of the lines that one transaction counted. A
transaction adds the list's next marker together with the counts. If another delivery has added this marker already, the
list is read again. So a delivery writes one marker per minute of its lines, not one per line.
"""

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping

from mlops.aws.stats_table import SKIPPED, Marker, PredictionStats, fits
from prediction_log.delivery import Delivery, Line
from prediction_log.line_counts import Counted, count_lines
from prediction_log.waiting_answers import Keep

DIGEST_BYTES = 8
"""Of a line's id. A minute of a stream holds some thousand lines: two of them have the same digest once in 10^12."""
LINES_PER_TRANSACTION = 20_000
"""Their digests are 160 of the 400 kB that an item may have."""

Key = tuple[str, bytes]
"""A line's minute of its stream, and its digest."""


def count_delivery(stats: PredictionStats, keep: Keep, delivery: Delivery) -> Iterator[Counted]:
    """Count the new lines of a delivery, and store its samples and answers. Yields what each transaction counted.

    Raises:
        ClientError: DynamoDB or S3 refuses. The delivery can be repeated.
    """
    return _count(stats, keep, {(f"{delivery.stream} {_minute(line)}", _digest(line)): line for line in delivery.lines})


def count_undecodable(stats: PredictionStats, data: str) -> Iterator[Counted]:
    """Count a delivery that cannot be read as one skipped line."""
    counted = Counted(totals={SKIPPED: Counter(undecodable=1)}, skipped=Counter(undecodable=1))
    marker = Marker(f"undecodable {hashlib.sha256(data.encode()).hexdigest()}")
    if stats.add([marker], counted.hours, counted.totals):
        yield counted


def _count(stats: PredictionStats, keep: Keep, lines: Mapping[Key, Line]) -> Iterator[Counted]:
    while True:
        before = {minute: stats.markers(minute) for minute in {minute for minute, _ in lines}}
        seen = {(minute, digest) for minute, markers in before.items() for digest in _digests(markers)}
        new = {key: line for key, line in lines.items() if key not in seen}
        if not new:
            return
        counted, markers = count_lines(new.values()), _markers(new, before)
        if len(new) > LINES_PER_TRANSACTION or not fits(
            markers, counted.hours, counted.totals, counted.columns, counted.rollouts
        ):
            keys = list(new)
            for half in (keys[: len(keys) // 2], keys[len(keys) // 2 :]):
                yield from _count(stats, keep, {key: new[key] for key in half})
            return
        # Before the lines count as counted: after an exception they are delivered again.
        keep(counted.kept, counted.samples)
        if stats.add(markers, counted.hours, counted.totals, counted.columns, counted.rollouts):
            yield counted
            return


def _markers(keys: Iterable[Key], before: Mapping[str, list[Marker]]) -> list[Marker]:
    """Return the next marker of each minute, with the digests of its lines."""
    contents: dict[str, list[bytes]] = defaultdict(list)
    for minute, digest in keys:
        contents[minute].append(digest)
    return [Marker(minute, _next_slot(before[minute]), b"".join(digests)) for minute, digests in contents.items()]


def _next_slot(markers: list[Marker]) -> str:
    return f"{int(markers[-1].slot) + 1 if markers else 0:08}"


def _digests(markers: Iterable[Marker]) -> Iterator[bytes]:
    for marker in markers:
        for start in range(0, len(marker.content), DIGEST_BYTES):
            yield marker.content[start : start + DIGEST_BYTES]


def _digest(line: Line) -> bytes:
    return hashlib.blake2b(line.id.encode(errors="surrogatepass"), digest_size=DIGEST_BYTES).digest()


def _minute(line: Line) -> str:
    return f"{line.seconds // 60:.0f}"  # of any number, however wrong
