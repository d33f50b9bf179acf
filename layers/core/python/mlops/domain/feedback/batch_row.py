"""The ids of the answers of batch predictions: `<batch id>/<shard>/<row>`."""

import re
import time
from typing import NamedTuple

from mlops.domain.batch_prediction import ID_PREFIX

_PATTERN = re.compile(rf"({ID_PREFIX}[0-9a-f]{{20}})/([0-9]{{1,5}})/([0-9]{{1,15}})")
_MILLISECONDS = slice(len(ID_PREFIX), len(ID_PREFIX) + 12)


class BatchRow(NamedTuple):
    """Whose answer it is: the row's place in a shard, both from 0."""

    batch_id: str
    shard: int
    row: int


def batch_row(prediction_id: str | None) -> BatchRow | None:
    """Read the id of an answer; None if it is none of a batch prediction."""
    found = _PATTERN.fullmatch(prediction_id or "")
    return BatchRow(found[1], int(found[2]), int(found[3])) if found else None


def asked_at(batch_id: str) -> float:
    """Return the Unix time at which a batch prediction was asked for. Its answers count as those of this time."""
    return int(batch_id[_MILLISECONDS], 16) / 1000


def asked_in(batch_id: str) -> str:
    """Return the hour of that time, such as `2026-01-31T23`."""
    return time.strftime("%Y-%m-%dT%H", time.gmtime(asked_at(batch_id)))
