"""The same models and the same requests: POST /models/{name}/invocations beside processes of `mlflow models serve`.

MLflow serves the original, scikit-learn's pipeline, with the signature that the contract route gives. What only we
refuse is in the table of docs/serving.md.
"""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import mlflow
import pytest
import urllib3
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from mlops.domain.manifest import model_key
from mlops_contract.signature import signature_columns
from mlops_conversion import convert
from tests.support.own_models import NUMBERS, TEXTS, churned, customers, json_rows, spent
from tests.support.served_models import admitted
from tests.support.serving import Served
from tests.support.steps import free_ports
from tests.support.waiting import wait_for_server
from tests.unit.predict.conftest import Predict

pytestmark = pytest.mark.slow
COLUMNS = [*NUMBERS, *TEXTS]
PAGE = Path(__file__).parents[3] / "docs/serving.md"
CLASSES, QUANTITY = "classes", "quantity"
TRAINING, HELD_OUT = customers(240, 0)[COLUMNS], customers(160, 1)[COLUMNS]
ROUTE, JSON = "/models/{name}/invocations", "application/json"
TARGETS = {CLASSES: churned, QUANTITY: spent}


@dataclass(frozen=True)
class Pair:
    """A model as MLflow serves it, and as it was admitted here."""

    address: str
    served: Served


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Pair]]:
    with ExitStack() as running:
        made = {name: _made(name, tmp_path_factory.mktemp(name)) for name in TARGETS}
        servers = {name: running.enter_context(_served_by_mlflow(path)) for name, (_, path) in made.items()}
        for process, address in servers.values():
            wait_for_server(process, f"{address}/ping", 120)
        yield {name: Pair(f"{servers[name][1]}/invocations", served) for name, (served, _) in made.items()}


def _made(name: str, folder: Path) -> tuple[Served, str]:
    """Train and convert a pipeline: what serves here, and the folder that MLflow serves."""
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    columns = ColumnTransformer([("numbers", numbers, NUMBERS), ("texts", texts, TEXTS)])
    model = make_pipeline(columns, LogisticRegression() if name == CLASSES else Ridge())
    model.fit(TRAINING, TARGETS[name](customers(240, 0)))
    converted = convert(model, HELD_OUT, target=TARGETS[name](customers(160, 1)))
    assert converted.contract is not None
    served = admitted(converted.content, converted.proof_rows)
    signature = ModelSignature(Schema([ColSpec(**column) for column in signature_columns(converted.contract)]))
    path = str(folder / "model")
    mlflow.sklearn.save_model(model, path, signature=signature, serialization_format="cloudpickle")
    return served.with_manifest(model_name=name, key=model_key(name, served.manifest.sha256)), path


@contextmanager
def _served_by_mlflow(path: str) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    """`mlflow models serve` and its address."""
    (port,) = free_ports(1)
    command = ["models", "serve", "--model-uri", path, "--host", "127.0.0.1", "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "mlflow", *command, "--env-manager", "local"],
        env={**os.environ, "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"},
        start_new_session=True,  # it starts its server as another process
    )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait()


@pytest.fixture
def predict(store: Any, start: Any, pairs: dict[str, Pair]) -> Predict:
    for pair in pairs.values():
        store.promote(pair.served)
    return start()


def theirs_and_ours(predict: Predict, pair: Pair, body: Any, content_type: str) -> tuple[Any, Any]:
    """MLflow's and our predictions, or the status of a refusal."""
    text = body if isinstance(body, str) else json.dumps(body)
    theirs = urllib3.request("POST", pair.address, body=text.encode(), headers={"content-type": content_type})
    ours = predict.post(ROUTE, {"name": pair.served.manifest.model_name}, text, content_type)
    return (
        theirs.json()["predictions"] if theirs.status == 200 else theirs.status,
        ours.json["predictions"] if ours.status == 200 else ours.status,
    )


def csv_of(seed: int, **options: Any) -> str:
    text: str = customers(40, seed)[COLUMNS].to_csv(**{"index": False, **options})
    return text


ROWS = json_rows(customers(40, 7)[COLUMNS], COLUMNS)
FULL = [row | {"city": row["city"] or "Oslo"} for row in ROWS]
"""Without missing text, which MLflow takes for the word None in instances and inputs."""
ROW = {"age": 41.5, "income": 250_000, "visits": 3, "city": "Oslo", "plan": "basic"}
VALUES = [[row[name] for name in COLUMNS] for row in ROWS]
SPLIT = {"columns": COLUMNS, "data": VALUES}
ANSWERED = {
    "split": {"dataframe_split": SPLIT},
    "split with an index": {"dataframe_split": {**SPLIT, "index": [*range(40)]}},
    "split in another order": {
        "dataframe_split": {"columns": COLUMNS[::-1], "data": [values[::-1] for values in VALUES]}
    },
    "split of one row": {"dataframe_split": {"columns": [*ROW], "data": [[*ROW.values()]]}},
    "records": {"dataframe_records": ROWS},
    "records of one row": {"dataframe_records": [ROW]},
    "records with nulls": {"dataframe_records": [dict.fromkeys(ROW), ROW]},
    "records with unseen text": {"dataframe_records": [ROW | {"city": "Turin", "plan": "STUDENT"}]},
    "records with whole numbers": {"dataframe_records": [ROW | {"age": 41}]},
    "instances": {"instances": FULL},
    "instances of one row": {"instances": [ROW]},
    "inputs by column": {"inputs": {name: [row[name] for row in FULL] for name in COLUMNS}},
    "inputs by row": {"inputs": FULL},
    "inputs of one row": {"inputs": ROW},
    "csv": csv_of(8),
    "csv of one row": csv_of(8).partition("\n")[0] + "\n41.5,250000,3,Oslo,basic",
    "csv in another order": csv_of(9, columns=COLUMNS[::-1]),
    "csv with quotation marks": csv_of(9, quoting=csv.QUOTE_ALL),
    "csv with blank lines": csv_of(8).replace("\n", "\n\n"),
    "csv with CRLF": csv_of(8, lineterminator="\r\n"),
}
REFUSED = {
    "no format": {},
    "two formats": {"dataframe_records": [ROW], "instances": [ROW]},
    "another field": {"rows": [ROW]},
    "a list": [ROW],
    "a string": '"text"',
    "no JSON": "{",
    "a word for a number": {"dataframe_records": [ROW | {"age": "old"}]},
    "a missing column": {"dataframe_records": [{name: ROW[name] for name in COLUMNS[1:]}]},
    "a short row": {"dataframe_split": {"columns": COLUMNS, "data": [[1, 2]]}},
    "no columns": {"dataframe_split": {"columns": [], "data": []}},
    "no rows": {"dataframe_split": {"columns": COLUMNS, "data": []}},
    "lists without names": {"instances": [[1, 2, 3, "Oslo", "basic"]]},
    "columns of two lengths": {"inputs": {name: [ROW[name]] * (1 + (name == "plan")) for name in COLUMNS}},
    "csv with a word for a number": csv_of(8) + "old,1,2,Oslo,basic\n",
    "csv with a long row": csv_of(8) + "1,1,2,Oslo,basic,7\n",
    "csv that is empty": " ",
}
STRICTER = {
    "a number as text": {"dataframe_records": [ROW | {"age": "41.5"}]},
    "a boolean for a number": {"dataframe_records": [ROW | {"age": True}]},
    "a number for text": {"dataframe_records": [ROW | {"city": 5}]},
    "a fraction for a whole number": {"dataframe_records": [ROW | {"visits": 3.5}]},
    "an unknown column": {"dataframe_records": [ROW | {"wage": 1}]},
    "a number beyond float32": {"dataframe_records": [ROW | {"age": 1e39}]},
    "NaN": json.dumps({"dataframe_records": [ROW | {"age": float("nan")}]}),
    "a name twice": json.dumps({"dataframe_records": [ROW]}).replace('"age"', '"age": 7, "age"'),
    "params": {"dataframe_records": [ROW], "params": {}},
    "an index in csv": csv_of(8, index=True),
}
"""Which MLflow answers."""


def content_type(name: str) -> str:
    return "text/csv" if "csv" in name else JSON


@pytest.mark.parametrize("name", ANSWERED)
def test_valid_requests_get_mlflows_answers(predict: Predict, pairs: dict[str, Pair], name: str) -> None:
    theirs, ours = theirs_and_ours(predict, pairs[CLASSES], ANSWERED[name], content_type(name))
    assert isinstance(theirs, list), theirs
    assert ours == theirs
    theirs, ours = theirs_and_ours(predict, pairs[QUANTITY], ANSWERED[name], content_type(name))
    assert ours == pytest.approx(theirs, rel=1e-5)


@pytest.mark.parametrize("name", REFUSED)
def test_what_mlflow_refuses_is_refused(predict: Predict, pairs: dict[str, Pair], name: str) -> None:
    assert theirs_and_ours(predict, pairs[CLASSES], REFUSED[name], content_type(name)) == (400, 422)


@pytest.mark.parametrize("name", STRICTER)
def test_what_mlflow_converts_is_refused_and_the_page_says_so(
    predict: Predict, pairs: dict[str, Pair], name: str
) -> None:
    theirs, ours = theirs_and_ours(predict, pairs[CLASSES], STRICTER[name], content_type(name))
    assert isinstance(theirs, list)
    assert ours == 422
    assert f"| {name} |" in PAGE.read_text()


def test_missing_text_is_missing_in_every_format(predict: Predict, pairs: dict[str, Pair]) -> None:
    rows = [ROW | {"city": None}, ROW]
    records, ours = theirs_and_ours(predict, pairs[QUANTITY], {"dataframe_records": rows}, JSON)
    assert ours == pytest.approx(records, rel=1e-5)
    instances, ours = theirs_and_ours(predict, pairs[QUANTITY], {"instances": rows}, JSON)
    assert ours == pytest.approx(records, rel=1e-5)
    assert instances != pytest.approx(records, rel=1e-5), "MLflow reads null as the word None"
