"""Score files in a folder, without AWS."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from mlops_scoring.model import TableModel
from mlops_scoring.reading import Part, chunks_of
from mlops_scoring.scoring import Counts, Scorer
from mlops_scoring.writing import ParquetWriter
from tests.support.serving import Served

ALL = 1 << 62


def opened(served: Served) -> TableModel:
    return TableModel.open(served.onnx, served.manifest.sha256)


def score(
    served: Served,
    files: Mapping[str, bytes],
    folder: Path,
    keep: Sequence[str] = (),
    *,
    id_prefix: str = "b/0",
    probabilities: bool = False,
) -> tuple[pa.Table, pa.Table, Counts]:
    """The answers, the rows that were set aside, and the counts."""
    model = opened(served)
    writers = [ParquetWriter(folder / "part.parquet", ["prediction_id"]), ParquetWriter(folder / "rejected.parquet")]
    scorer = Scorer(model, *writers, keep=keep, id_prefix=id_prefix, probabilities=probabilities)
    for name, data in files.items():
        path = folder / Path(name).name
        path.write_bytes(data)
        with path.open("rb") as file:
            scorer.score(chunks_of(Part(name, 0, ALL), file, model.contract, keep))
    tables = [parquet.read_table(each.path) if (each := writer.close()) else pa.table({}) for writer in writers]
    return tables[0], tables[1], scorer.counts
