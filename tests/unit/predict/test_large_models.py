"""A network of 400 MB: through the real gate, and answering in a process with the memory that the template gives."""

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from infra.local.packaging import read_template
from infra.local.settings import ROOT
from promotion.examination import Limits, examine_apart
from promotion.serving_store import ServingStore
from tests.unit.registry.fakes import MODEL, World

FEATURES, CLASSES, LAYERS = 16, 3, 8
MEGABYTES = 400
MEBIBYTE = 1 << 20
ASKING = """
import json, re, resource, sys
limit = int(sys.argv[1])
resource.setrlimit(resource.RLIMIT_DATA, (limit, limit))
from predict import app
for line in sys.stdin:
    answer = app.handler(json.loads(line), None)
    peak = re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]
    print(json.dumps({"answer": json.loads(answer["body"]), "peak": 1024 * int(peak)}), file=sys.stderr, flush=True)
"""


def network(path: Path, seed: int, megabytes: int = MEGABYTES) -> None:
    """Write a network of dense layers of this size."""
    width = int((megabytes * 1e6 / 4 / LAYERS) ** 0.5)
    random = np.random.default_rng(seed)
    sizes = [FEATURES, *[width] * (LAYERS + 1), CLASSES]
    nodes, tensors, before = [], [], "inputs"
    for layer, (rows, columns) in enumerate(itertools.pairwise(sizes)):
        weights = random.standard_normal((rows, columns), np.float32) / np.float32(rows**0.5)
        tensors.append(numpy_helper.from_array(weights, f"w{layer}"))
        nodes.append(helper.make_node("MatMul", [before, f"w{layer}"], [f"sum{layer}"]))
        before = f"active{layer}"
        nodes.append(helper.make_node("Relu", [f"sum{layer}"], [before]))
    nodes[-1] = helper.make_node("Softmax", [f"sum{len(sizes) - 2}"], ["probabilities"], axis=1)
    inputs = [helper.make_tensor_value_info("inputs", TensorProto.FLOAT, ["n", FEATURES])]
    outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, ["n", CLASSES])]
    graph = helper.make_graph(nodes, "network", inputs, outputs, tensors)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), str(path))


@pytest.fixture
def s3(s3_endpoint: str, bucket_name: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The bucket of the registry's fakes, on a server."""
    client = boto3.client("s3")
    client.create_bucket(Bucket="bucket")
    yield client
    for item in client.list_objects_v2(Bucket="bucket").get("Contents", []):
        client.delete_object(Bucket="bucket", Key=item["Key"])
    client.delete_bucket(Bucket="bucket")


def memory_of(function: str) -> int:
    properties = read_template(ROOT / "template.yaml")["Resources"][function]["Properties"]
    return int(properties["MemorySize"]) * MEBIBYTE


def promoted(world: World, s3: Any, version: int, file: Path) -> str:
    """Promote a version with this file; returns how it ended."""
    s3.upload_file(str(file), "bucket", f"mlflow/{version}/model.onnx")
    message = world.ask(version, "Production")
    world.deliver(message)
    moved = world.transitions.get(MODEL, message["transition_id"])
    return f"{moved.status} {moved.error or ''}".strip()


@pytest.mark.slow
def test_a_network_of_400_mb_is_promoted_and_replaced_while_it_answers(s3: Any, tmp_path: Path) -> None:
    world = World(2, serving=ServingStore("bucket"), examining=examine_apart)
    file = tmp_path / "model.onnx"
    network(file, seed=1)
    size = file.stat().st_size
    assert promoted(world, s3, 1, file) == "succeeded"
    event = json.loads((ROOT / "tests/unit/predict/event.json").read_text())
    event |= {"body": json.dumps({"inputs": [0.5] * FEATURES, "model_name": MODEL}), "path": "/predict"}
    limit = memory_of("PredictFunction")
    with subprocess.Popen(
        [sys.executable, "-c", ASKING, str(limit)],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT / 'layers/core/python'}{os.pathsep}{ROOT / 'functions/predict'}",
            "ARTIFACT_BUCKET": "bucket",
            "MODEL_REFRESH_SECONDS": "0",
        },
    ) as predict:
        assert predict.stdin is not None
        assert predict.stderr is not None

        def ask() -> dict[str, Any]:
            predict.stdin.write(json.dumps(event) + "\n")
            predict.stdin.flush()
            return json.loads(predict.stderr.readline())

        first = ask()
        assert first["answer"]["model_version"] == 1, first
        assert first["peak"] <= 1.3 * size + 150 * MEBIBYTE  # beside Python, numpy and onnxruntime
        network(file, seed=2)
        assert promoted(world, s3, 2, file) == "succeeded"
        second = ask()
        assert second["answer"]["model_version"] == 2, second
        assert second["answer"]["probabilities"] != first["answer"]["probabilities"]
        assert second["peak"] < limit
        predict.stdin.close()


@pytest.mark.slow
def test_a_network_for_which_predict_lacks_the_memory_is_refused_by_the_gate(s3: Any, tmp_path: Path) -> None:
    world = World(1, serving=ServingStore("bucket"), examining=in_half_of_the_memory)
    file = tmp_path / "model.onnx"
    network(file, seed=1)
    outcome = promoted(world, s3, 1, file)
    assert outcome.startswith("rejected")
    assert "because two have to fit while one replaces the other" in outcome
    assert not s3.list_objects_v2(Bucket="bucket", Prefix="serving/").get("Contents")


def in_half_of_the_memory(file: Any, placement: Any, limits: Limits, *beside: Any) -> Any:
    return examine_apart(file, placement, Limits(limits.memory_mb // 2), *beside)
