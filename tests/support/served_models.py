"""A model that the trainer has exported, through the gate and into predict's own code, without a server."""

import json
from collections.abc import Mapping
from typing import Any

from mlops.domain.stages import Stage
from mlops_contract.onnx_file import ModelFile
from predict import request, tables
from predict.model_cache import ModelCache, ServedModel
from predict.s3 import S3Object, Sink
from promotion.examination import Beside, Limits, Placement, examine
from promotion.gate import GateSettings
from promotion.proof import proof_result
from tests.support.serving import Served

NAME = "served"
PLACEMENT = Placement(NAME, 1, Stage.PRODUCTION, "run", {}, "tr_1")
LIMITS = Limits(GateSettings().predict_memory_mb)
ROWS_A_REQUEST = 1000


class Objects:
    """A bucket in memory, as far as predict reads it."""

    def __init__(self, objects: Mapping[str, bytes]) -> None:
        self._objects = objects

    def get(self, key: str, *, seconds: float, max_bytes: int, etag: str | None = None) -> S3Object:
        return S3Object(self._objects[key], "etag")

    def fetch(self, key: str, sink: Sink, *, seconds: float, max_bytes: int) -> None:
        sink.write(self._objects[key])


def admitted(
    onnx: bytes, proof: bytes | None, explanation: bytes | None = None, placement: Placement = PLACEMENT
) -> Served:
    """The file with the manifest that the gate writes, after it has passed the gate; a table's with its proof."""
    examined = examine(ModelFile(onnx), placement, LIMITS, Beside(proof, explanation))
    result = proof_result(examined.proof, GateSettings().proof_tolerance, admitted=False)
    assert result.passed, result.detail
    assert (examined.proof is None) == (proof is None), "a table has a proof, and nothing else has one"
    assert explanation is None or not examined.unexplained, examined.unexplained
    return Served(examined.manifest, onnx, explanation)


def loaded(served: Served) -> ServedModel:
    """The model as predict loads it from the bucket."""
    cache = ModelCache(Objects(served.objects()), refresh_seconds=60, report=lambda event, **fields: None)
    return cache.current(NAME, Stage.PRODUCTION)[0]


def answer(model: ServedModel, row: Mapping[str, Any]) -> dict[str, Any]:
    """What `POST /predict` answers to a row of a table."""
    return _answer(model, {"row": row}, request.SINGLE)


def answers(model: ServedModel, rows: list[dict[str, Any]]) -> tuple[list[Any], list[float]]:
    """The predictions and the confidences that `POST /predict/batch` answers to any number of rows."""
    predictions, confidences = [], []
    for start in range(0, len(rows), ROWS_A_REQUEST):
        found = _answer(model, {"rows": rows[start : start + ROWS_A_REQUEST]}, request.BATCH)
        predictions += found["predictions"]
        confidences += found.get("confidences", [])
    return predictions, confidences


def _answer(model: ServedModel, body: dict[str, Any], fields: request.Fields) -> dict[str, Any]:
    parsed = request.parse(json.dumps(body), fields, NAME)
    rows = tables.rows_of(model, parsed, fields is request.BATCH)
    ran = tables.run(model, rows[0].feeds, parsed.source)
    text, _ = tables.answer(model, rows, ran, fields is request.BATCH, "a request")
    document: dict[str, Any] = json.loads(text)
    return document
