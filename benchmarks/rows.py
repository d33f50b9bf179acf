"""The rows bench: rows of named columns through POST /predict and /predict/batch, their floor and peers, in one run.

`python -m benchmarks.rows [--quick]`. What each figure means stands in docs/performance.md.
"""

import os

# As the function sets it: one thread for numpy's products, for the floor and the peers alike. Before numpy's import.
os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import json
import statistics
import tempfile
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from fastapi import FastAPI
from pydantic import BaseModel
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks import direct, environment, machine, peers
from benchmarks.predict import in_a_process_of_its_own, per_request
from benchmarks.warm_rows import COLUMNS, MODEL, NUMBERS, TEXTS, bodies, columns_of, floor, rows_of
from mlops.domain.manifest import model_key
from mlops_conversion import convert
from tests.support.served_models import admitted
from tests.support.serving import Served

PACKAGES = ("numpy", "onnxruntime", "orjson", "fastapi", "pydantic", "pandas", "scikit-learn", "mlflow")
BATCH = 100
BOUNDS = {
    "warm_row_over_floor": "≤ 1.5",
    "cpu_mlflow_over_ours": "≥ 50",
    "cpu_fastapi_pandas_over_ours": "≥ 30",
    "batch_row_over_single": "≤ 0.3",
}

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]


@dataclass(frozen=True)
class Models:
    """The same model as scikit-learn has it, and as it is served here."""

    pipeline: Pipeline
    served: Served


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a tenth of the repetitions: to see that it runs")
    scale = 0.1 if parser.parse_args().quick else 1.0
    result: dict[str, Any] = {"machine": machine.describe(*PACKAGES)}
    models = made()
    with environment.bucket(models.served) as bucket:
        environment.enter(bucket.variables() | {"DEFAULT_MODEL_NAME": MODEL})
        result["warm"] = in_a_process_of_its_own("warm_rows", max(2, int(5 * scale)))
        with direct.quiet():
            from predict import app

            assert app.models.current(MODEL, "Production")
        result["batch"] = measure_batch(app.handler, max(5, int(20 * scale)))
        result["peers"] = measure_peers(app.handler, models, max(3, int(8 * scale)))
    result = {**ratios(result), **result}
    machine.write("rows", "rows", result, tables(result))
    for name, bound in BOUNDS.items():
        print(f"  {name:32} {result[name]:<8} {bound}")


def ratios(result: dict[str, Any]) -> dict[str, float]:
    """The ratios that the bounds are put on."""
    cpu = result["peers"]["cpu_us"]
    return {
        "warm_row_over_floor": result["warm"]["p50_over_floor"],
        "cpu_mlflow_over_ours": round(cpu["mlflow"] / cpu["ours"], 1),
        "cpu_fastapi_pandas_over_ours": round(cpu["fastapi_pandas"] / cpu["ours"], 1),
        "batch_row_over_single": result["batch"]["over_single"],
    }


def made() -> Models:
    """Train a pipeline on 2,000 rows of 10 numbers and 10 texts, and convert it."""
    frame, target = frame_of(2_000, 0), np.where(frame_of(2_000, 0)["number_0"] > 0, "leaves", "stays")
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    texts = OneHotEncoder(handle_unknown="ignore")
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    pipeline = make_pipeline(columns, LogisticRegression(max_iter=300)).fit(frame, target)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        converted = convert(pipeline, frame_of(400, 1))
    served = admitted(converted.content, converted.proof_rows)
    return Models(pipeline, served.with_manifest(model_name=MODEL, key=model_key(MODEL, served.manifest.sha256)))


def frame_of(count: int, seed: int) -> pd.DataFrame:
    return pd.DataFrame(columns_of(count, seed))


def fastapi_pandas(pipeline: Pipeline) -> direct.Peer:
    """The usual application: FastAPI, a pydantic model of the row, a DataFrame, and the pipeline."""
    app = FastAPI()

    class Body(BaseModel):
        row: dict[str, float | str]

    class Answer(BaseModel):
        prediction: str
        probabilities: dict[str, float]

    def predict(body: Body) -> Answer:
        probabilities = pipeline.predict_proba(pd.DataFrame([body.row], columns=COLUMNS))[0]
        best = str(pipeline.classes_[probabilities.argmax()])
        return Answer(prediction=best, probabilities=dict(zip(pipeline.classes_, probabilities, strict=True)))

    app.post("/predict", response_model=Answer)(predict)
    return peers.asgi(app, "/predict", lambda body: body.encode())


def mlflow(pipeline: Pipeline) -> direct.Peer:
    """MLflow's own scoring server with the pipeline as its flavour, without the HTTP server in front of it."""
    import mlflow.pyfunc
    import mlflow.sklearn
    from mlflow.models import infer_signature
    from mlflow.pyfunc import scoring_server

    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "model")
        mlflow.sklearn.save_model(
            pipeline, path, signature=infer_signature(frame_of(10, 2)), serialization_format="cloudpickle"
        )
        app = scoring_server.init(mlflow.pyfunc.load_model(path))
    return peers.asgi(
        app, "/invocations", lambda body: b'{"dataframe_records": [' + body[len('{"row": ') : -1].encode() + b"]}"
    )


def measure_batch(handler: Handler, repeat: int) -> dict[str, Any]:
    """CPU of rows one by one, and of a hundred at a time."""
    singles, batches = [], []
    with direct.quiet():
        for number in range(repeat):
            rows = rows_of(BATCH, 1000 + number)
            batch = direct.event("/predict/batch", json.dumps({"rows": rows}))
            events = [direct.event("/predict", json.dumps({"row": row})) for row in rows]
            batches.append(per_request(handler, [batch]) / BATCH)
            singles.append(per_request(handler, events))
    single, each = statistics.median(singles), statistics.median(batches)
    return {
        "single_us": round(single * 1e6, 1),
        "batch_us_per_row": round(each * 1e6, 1),
        "over_single": round(each / single, 3),
    }


def measure_peers(handler: Handler, models: Models, rounds: int) -> dict[str, Any]:
    """CPU time per request, all in this process and in turn."""

    def ours(event: direct.Event) -> bytes:
        text: str = handler(event, None)["body"]
        return text.encode()

    calls: dict[str, direct.Peer] = {
        "floor": floor(models.served.onnx),
        "ours": ours,
        "fastapi_pandas": fastapi_pandas(models.pipeline),
        "mlflow": mlflow(models.pipeline),
    }
    with direct.quiet():
        _agree(calls)
        found = peers.cpu_us(calls, lambda seed: bodies(40, seed), rounds)
    return {
        "requests": rounds * 40,
        "cpu_us": {name: round(value, 1) for name, value in found.items()},
        "over_ours": {name: round(value / found["ours"], 2) for name, value in found.items()},
    }


def _agree(calls: dict[str, direct.Peer]) -> None:
    """All give the same predictions, or the comparison means nothing."""
    for body in bodies(20, 5):
        found = {}
        for name, call in calls.items():
            document = json.loads(call(direct.event("/predict", body)))
            found[name] = document["predictions"][0] if "predictions" in document else document["prediction"]
        assert len({*found.values()}) == 1, found


def tables(result: dict[str, Any]) -> str:
    warm, batch, cpu = result["warm"], result["batch"], result["peers"]
    return "\n".join(
        [
            "A row has 10 numbers and 10 texts. The peers have the same scikit-learn pipeline.\n",
            "## The bounds\n",
            machine.table(["ratio", "measured", "bound"], [[n, result[n], bound] for n, bound in BOUNDS.items()]),
            f"## Warm, {warm['body_bytes']} bytes a request\n",
            machine.table(
                ["median, µs", ""],
                [
                    ["floor: orjson, two arrays, session.run, orjson", warm["us"]["floor"]],
                    [
                        "the handler in a busy hour, which counts the columns of one request in eight",
                        warm["us"]["ours"],
                    ],
                    [
                        "the handler at the start of an hour: every request's columns are counted",
                        warm["us"]["ours_counted"],
                    ],
                ],
            ),
            "## CPU per request, in process\n",
            machine.table(["", "µs", "x ours"], [[n, cpu["cpu_us"][n], cpu["over_ours"][n]] for n in cpu["cpu_us"]]),
            "## Batch of 100: CPU, in process\n",
            machine.table(
                ["single, µs", "batch, µs per row", "ratio"],
                [[str(batch["single_us"]), batch["batch_us_per_row"], batch["over_single"]]],
            ),
        ]
    )


if __name__ == "__main__":
    main()
