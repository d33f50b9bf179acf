"""Write the log: one line of JSON per event. Drift detection and the metric filters read the lines of predictions.

No line has an input: for an image it has the coarse averages of `signals`, for a refused body the error's code.
"""

import os
import sys
import time
import traceback
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import orjson

from mlops.domain.manifest import Manifest
from mlops.inference.answers import Answers, json_of

if TYPE_CHECKING:
    from predict.column_counts import RowCounts
    from predict.feedback import Kept

NAMESPACE = os.environ.get("POWERTOOLS_METRICS_NAMESPACE", "mlops")
COUNTED = {
    "mlops.model_loaded": "ModelLoaded",
    "mlops.model_refused": "ModelRefused",
    "mlops.model_unavailable": "ModelUnavailable",
}


Ran = tuple[Answers, np.ndarray]
"""What a model has answered, and the outputs that this was made of: float32 `[n, k]`. A class of its own would take a
quarter of a microsecond of each request."""


class Outcome(NamedTuple):
    """Answers, the outputs they were made of (float32 `[n, k]`), and what the log says of both."""

    answers: Answers
    outputs: np.ndarray
    record: str
    kept: "Kept"
    """Of the answers, until their labels are known."""
    counts: "RowCounts | None" = None
    """Of a table's columns, if the request is counted."""

    @property
    def line(self) -> str:
        """The part of the log line for a request that is not repeated from the cache."""
        return self.record if self.counts is None else self.record + self.counts.fields


class ModelLines:
    """Makes the part of one loaded model's lines that depends on body and model only: JSON fields without braces."""

    def __init__(self, manifest: Manifest) -> None:
        self._model = orjson.dumps(
            {"model_name": manifest.model_name, "model_version": manifest.model_version, "stage": manifest.stage}
        )[1:-1].decode()
        # Labels of these answers are counted by the threshold, which readers before did not know.
        self._classes = self._model if manifest.decision_threshold is None else f'"min_reader":3,{self._model}'

    def of_classes(self, answers: Answers, signals: dict[str, np.ndarray] | None) -> str:
        """Return the part for classes. `signals` are those of `predict.signals`, if the images were measured."""
        measured = json_of(signals) if signals is not None else "null"
        predictions, confidences = answers.predictions, answers.confidences
        if len(predictions) == 1:  # a call of the encoder takes longer
            logged = f'[{answers.label}],"confidences":[{confidences[0]}]'
        else:
            logged = f'{json_of(predictions)},"confidences":{json_of(confidences)}'
        return f'{self._classes},"n":{len(predictions)},"predictions":{logged},"signals_permille":{measured}'

    def of_quantities(self, count: int) -> str:
        """Return the part for so many quantities, which have neither labels nor confidences to watch."""
        return f'"min_reader":2,"task":"regression",{self._model},"n":{count}'


def prediction(request_id: str, kept: str, cache: str, staleness: str, began: float) -> None:
    """Write the line of an answered request, whose part from `ModelLines` and others is `kept`.

    `began` is the `time.perf_counter()` at its start.
    """
    _print(
        f'{{"event":"mlops.prediction","request_id":{orjson.dumps(request_id).decode()},"status":200,"cache":"{cache}",'
        f'"staleness_s":{staleness},"latency_ms":{(time.perf_counter() - began) * 1000:.3f},{kept}}}\n'
    )


def refused(request_id: str, path: str, status: int, code: str, began: float, *, predicts: bool) -> None:
    """Write the line of a request that was answered with an error. `predicts` says whether its route predicts."""
    report(
        "mlops.prediction" if predicts else "mlops.request",
        request_id=request_id,
        status=status,
        code=code,
        path=path,
        n=0,
        latency_ms=round((time.perf_counter() - began) * 1000, 3),
    )


def failed(request_id: str, path: str, error: Exception, began: float, *, predicts: bool) -> None:
    """Write the lines of a request that failed unexpectedly. The trace has places, but no values and no messages."""
    trace = [f"{frame.name}:{frame.lineno}" for frame in traceback.extract_tb(error.__traceback__)]
    report("mlops.error", request_id=request_id, error=type(error).__name__, trace=trace)
    refused(request_id, path, 500, "internal_error", began, predicts=predicts)


def report(event: str, **fields: Any) -> None:
    """Write a line about an event. Events in COUNTED have a metric too (CloudWatch's embedded metric format)."""
    document: dict[str, Any] = {"event": event, **fields}
    metric = COUNTED.get(event)
    if metric is not None:
        document[metric] = 1
        document["_aws"] = {
            "Timestamp": int(time.time() * 1000),
            "CloudWatchMetrics": [
                {
                    "Namespace": NAMESPACE,
                    "Dimensions": [["model_name", "stage"]],
                    "Metrics": [{"Name": metric, "Unit": "Count"}],
                }
            ],
        }
    _print(orjson.dumps(document).decode() + "\n")


def _print(line: str) -> None:
    # One write per line, so that lines never mix. Flushed, because the environment may freeze right after the answer.
    sys.stdout.write(line)
    sys.stdout.flush()
