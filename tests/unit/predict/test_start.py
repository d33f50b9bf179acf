"""The start: what is imported, what happens with no manifest and with no S3, and SnapStart's snapshot and restore."""

import importlib
import json
import os
import subprocess
import sys
import types
from pathlib import Path
from typing import Any

import pytest

from mlops.settings import MissingSetting
from predict.s3 import Bucket, Place
from tests.support.serving import served

ROOT = Path(__file__).parents[3]
HEAVY = {
    "asyncio",
    "aws_lambda_powertools",
    "boto3",
    "botocore",
    "fastapi",
    "mangum",
    "mlflow",
    "onnx",
    "pandas",
    "pydantic",
    "requests",
    "scipy",
    "urllib3",
    "xml.etree",
}
SCRIPT = """
import json, sys
before = set(sys.modules)
import numpy, onnxruntime, orjson, csimdjson, http.client
floor = set(sys.modules)
from predict import app
event = json.loads(sys.argv[1])
print(json.dumps({"answer": app.handler(event, None)}))
own = sorted(name for name in set(sys.modules) - floor if not hasattr(sys.modules[name], "__path__"))
print(json.dumps({"modules": sorted(set(sys.modules) - before), "own": own}))
"""


def run_fresh(event: dict[str, Any], **environment: str) -> list[dict[str, Any]]:
    """Starts the function in a process of its own and gives it one event; the lines that it printed."""
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, json.dumps(event)],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'layers/core/python'}{os.pathsep}{ROOT / 'functions/predict'}",
            **environment,
        },
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def event() -> dict[str, Any]:
    return json.loads((ROOT / "tests/unit/predict/event.json").read_text())


def test_imports_nothing_that_the_first_answer_does_not_need(store: Any, event: dict[str, Any]) -> None:
    store.promote(served(1))
    *_, answer, modules = run_fresh(event)
    assert answer["answer"]["statusCode"] == 200
    loaded = set(modules["modules"])
    assert not {name for name in HEAVY if name in loaded or any(entry.startswith(f"{name}.") for entry in loaded)}
    # Beyond numpy, onnxruntime, the JSON decoders and the HTTP client: its own modules, those of mlops, three of the
    # contract, two of keys, two of labels, two of rollouts, and little more; packages, which hold nothing but a
    # docstring, do not count.
    assert len(modules["own"]) <= 42, modules["own"]
    assert not {"mlops_contract.rows", "mlops.inference.tables", "predict.tables"} & loaded


def test_starts_with_no_manifest_and_with_no_s3(store: Any, event: dict[str, Any]) -> None:
    cold, _, answer, _ = run_fresh(event)
    assert cold["event"] == "mlops.cold"
    assert answer["answer"]["statusCode"] == 409
    *_, answer, _ = run_fresh(event, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert answer["answer"]["statusCode"] == 503
    assert answer["answer"]["headers"]["retry-after"] == "1"


@pytest.mark.parametrize("variable", ["ARTIFACT_BUCKET", "DEFAULT_MODEL_NAME"])
def test_a_missing_setting_fails_with_its_name(
    bucket_name: str, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    from predict import app

    monkeypatch.delenv(variable)
    with pytest.raises(MissingSetting, match=variable):
        importlib.reload(app)


class Connection:
    """One of the snapshot's, whose other end is long gone."""

    closed = False

    def close(self) -> None:
        self.closed = True


class TestSnapStart:
    @pytest.fixture
    def hooks(self, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
        """The managed runtime's module, which Lambda calls the hooks of."""
        registered: list[Any] = []
        module = types.ModuleType("snapshot_restore_py")
        module.register_after_restore = registered.append  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "snapshot_restore_py", module)
        monkeypatch.setenv("AWS_LAMBDA_INITIALIZATION_TYPE", "snap-start")
        return registered

    def test_a_restore_drops_connections_and_follows_the_manifest(
        self, store: Any, start: Any, hooks: list[Any]
    ) -> None:
        store.promote(served(1))
        predict = start()
        connection, credentials = Connection(), predict.app.bucket._credentials._kept
        predict.app.bucket._connection = connection
        predict.call({"image": [0] * 784})
        random = [*predict.app.ids._tails]
        store.promote(served(2))  # while the snapshot lies there
        (after_restore,) = hooks
        after_restore()
        assert connection.closed
        assert predict.app.bucket._credentials._kept is not credentials
        assert predict.call({"image": [0] * 784}).json["model_version"] == 2
        assert not {*predict.app.ids._tails} & {*random}, "two restored environments would make the same ids"

    def test_a_snapshot_taken_with_no_manifest_serves_the_model_promoted_since(
        self, store: Any, start: Any, hooks: list[Any]
    ) -> None:
        predict = start()
        store.promote(served(1))
        hooks[0]()
        assert predict.call({"image": [0] * 784}).json["model_version"] == 1

    def test_a_restore_while_s3_is_down_goes_on_with_the_snapshots_model(
        self, store: Any, start: Any, hooks: list[Any], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        store.promote(served(1))
        predict = start()
        monkeypatch.setattr(
            predict.app.models,
            "_objects",
            Bucket(Place("127.0.0.1:9", False, "/", "x"), predict.app.bucket._credentials),
        )
        hooks[0]()
        assert predict.call({"image": [0] * 784}).json["model_version"] == 1
