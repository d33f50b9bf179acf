"""Score a file on this machine, with the code that batch predictions run.

This needs onnxruntime, numpy and pyarrow, the extra `score`. They are imported only when a file is scored.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mlops_client.errors import BadInput
from mlops_client.extras import require

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.models import ServedModelFile

MAX_REJECTED = 0.01
SHOWN_REASONS = 5


@dataclass(frozen=True)
class Scored:
    """A file that was scored.

    Attributes:
        rows: Rows that were read, with those that were set aside.
        rejected: Rows that were set aside.
        reasons: How often each of the commonest reasons occurred.
        rejected_file: The file with the rows that were set aside, if there are any.
    """

    model: ServedModelFile
    rows: int
    rejected: int
    reasons: dict[str, int]
    rejected_file: Path | None


def score(
    client: Client,
    source: Path,
    out: Path,
    model_name: str,
    *,
    stage: str | None = None,
    keep: Sequence[str] = (),
    probabilities: bool = False,
    max_rejected: float = MAX_REJECTED,
    on_progress: Callable[[int], None] = lambda rows: None,
) -> Scored:
    """Score a file on this machine: the model's file is downloaded, the rows are not sent.

    Args:
        client: Where the model serves.
        source: The file: Parquet, CSV or JSON lines.
        out: The Parquet file to write. Rows that the model does not take go beside it, into `….rejected.parquet`.
        model_name: The registered model.
        stage: Production or Staging.
        keep: Columns that are copied beside the answers.
        probabilities: Whether to write the probability of each class.
        max_rejected: The share of rows that may be set aside.
        on_progress: Called with the number of rows that are done.

    Raises:
        BadInput: The file cannot be read or scored, or too many rows were set aside. Then `out` is not written.
    """
    require(("numpy", "onnxruntime", "pyarrow"), "scoring a file", "score")
    from mlops_contract.session import ModelRefused
    from mlops_contract.table_files import FileRefused
    from mlops_scoring.chunks import Part
    from mlops_scoring.model import TableModel
    from mlops_scoring.reading import chunks_of
    from mlops_scoring.scoring import ID, Scorer
    from mlops_scoring.writing import ParquetWriter

    served = client.served_model_file(model_name, stage)
    try:
        model = TableModel.open(client.transport.download(served.url), served.sha256)
    except ModelRefused as refused:
        raise BadInput(f"{model_name}: {refused}") from refused
    aside = out.with_name(f"{out.stem}.rejected.parquet")
    try:
        # Beside the result, so that a rename makes it: nothing that is not whole bears its name.
        with tempfile.TemporaryDirectory(dir=out.parent) as folder, source.open("rb") as file:
            answers = ParquetWriter(Path(folder) / "answers.parquet", [ID])
            rejected = ParquetWriter(Path(folder) / "rejected.parquet")
            prefix = f"local-{served.model_version}/0"
            scorer = Scorer(model, answers, rejected, keep=keep, id_prefix=prefix, probabilities=probabilities)
            part = Part(str(source), 0, source.stat().st_size + 1)
            scorer.score(chunks_of(part, file, model.contract, keep), lambda counts: on_progress(counts.rows))
            written, set_aside = answers.close(), rejected.close()
            counts = scorer.counts
            reasons = dict(counts.reasons.most_common(SHOWN_REASONS))
            aside.unlink(missing_ok=True)
            if set_aside is not None:
                set_aside.path.replace(aside)
            _check(source, counts.rows, counts.rejected, reasons, max_rejected, aside)
            if written is not None:
                written.path.replace(out)
    except FileRefused as refused:
        raise BadInput(str(refused)) from refused
    except OSError as error:
        raise BadInput(f"{error.filename or source}: {error.strerror}") from error
    return Scored(served, counts.rows, counts.rejected, reasons, aside if set_aside is not None else None)


def _check(source: Path, rows: int, rejected: int, reasons: dict[str, int], most: float, aside: Path) -> None:
    """Raise BadInput if there are no rows, or too many of them were set aside."""
    if not rows:
        raise BadInput(f"{source} has no rows")
    if rejected > most * rows or rejected == rows:
        commonest = "; ".join(f"{reason} ({count:,} rows)" for reason, count in reasons.items())
        raise BadInput(
            f"{source}: {rejected:,} of {rows:,} rows are not for this model: {commonest}. They are in {aside}; "
            f"--max-rejected allows more than {most:g} of the rows"
        )
