"""The plan of a batch prediction: which version answers which part of which file. It is written once, before the job
starts, and each shard reads it. So nothing that changes meanwhile changes the answers."""

import itertools
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass

from mlops.domain.batch_prediction import FOLDER, REJECTED_FOLDER
from mlops.domain.stored import known_fields
from mlops_contract.table_files import format_of

MAX_SHARDS = 10_000
"""AWS Batch has no larger arrays."""


@dataclass(frozen=True)
class InputFile:
    """An object as it was when the plan was made. `version_id` is None in a bucket without versions."""

    bucket: str
    key: str
    size: int
    etag: str
    version_id: str | None = None

    @property
    def address(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class PlannedPart:
    """The part of the file number `file` from the byte `start` up to `end`."""

    file: int
    start: int
    end: int


@dataclass(frozen=True)
class ScoringPlan:
    """The plan.

    Attributes:
        model_key: The model's file in the artifact bucket.
        sha256: Its hash.
        labels: What the classes are called, for the labels that come later. None if it predicts a quantity.
        error_unit: The power of ten in which the errors of a quantity are counted. None if it predicts classes. Plans
            of older versions have neither.
        decision_threshold: As `mlops_contract.decision` has it.
    """

    batch_id: str
    model_name: str
    model_version: int
    model_key: str
    sha256: str
    output_bucket: str
    output_prefix: str
    keep: tuple[str, ...]
    probabilities: bool
    files: tuple[InputFile, ...]
    shards: tuple[tuple[PlannedPart, ...], ...]
    labels: tuple[int | str, ...] | None = None
    error_unit: int | None = None
    decision_threshold: float | None = None

    def to_json(self) -> bytes:
        """Return the plan as JSON."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def from_json(cls, data: bytes) -> "ScoringPlan":
        """Read a plan that `to_json` wrote."""
        fields = known_fields(cls, json.loads(data))
        files = tuple(InputFile(**file) for file in fields["files"])
        shards = tuple(tuple(PlannedPart(**part) for part in shard) for shard in fields["shards"])
        labels = tuple(fields["labels"]) if "labels" in fields else None
        return cls(**{**fields, "keep": tuple(fields["keep"]), "files": files, "shards": shards, "labels": labels})

    def output_key(self, shard: int, *, rejected: bool = False) -> str:
        """Return the key of a shard's answers, or of the rows that it sets aside: the same for each attempt."""
        return f"{self.output_prefix}{REJECTED_FOLDER if rejected else ''}part-{shard:05}.parquet"


def plan_key(batch_id: str) -> str:
    """Return the key of a plan in the artifact bucket."""
    return f"{FOLDER}{batch_id}/plan.json"


def shards_of(files: Sequence[InputFile], shard_bytes: int) -> tuple[tuple[PlannedPart, ...], ...]:
    """Divide files into at most `MAX_SHARDS` shards of about `shard_bytes`, or more if there would be too many.

    A large Parquet file is divided, and its row groups belong to the part in which they begin. Small files are put
    together, in their order. A text file is never divided, because nobody knows where its rows begin.
    """
    while True:
        shards = list(_packed(files, shard_bytes))
        if len(shards) <= MAX_SHARDS:
            return tuple(shards)
        shard_bytes *= 2


def _packed(files: Sequence[InputFile], shard_bytes: int) -> Iterable[tuple[PlannedPart, ...]]:
    together: list[PlannedPart] = []
    size = 0
    for index, file in enumerate(files):
        if together and size + file.size > shard_bytes:
            yield tuple(together)
            together, size = [], 0
        if file.size > shard_bytes and format_of(file.key).splits:
            pieces = math.ceil(file.size / shard_bytes)
            ends = [file.size * (piece + 1) // pieces for piece in range(pieces)]
            yield from ((PlannedPart(index, start, end),) for start, end in itertools.pairwise([0, *ends]))
            continue
        together.append(PlannedPart(index, 0, file.size))
        size += file.size
    if together:
        yield tuple(together)
