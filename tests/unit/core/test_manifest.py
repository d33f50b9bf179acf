import json
from dataclasses import replace

import pytest

from mlops.manifest import Manifest, ManifestError, ModelInput, ModelOutput, manifest_key, model_key

SHA = "ab" * 32
MANIFEST = Manifest(
    model_name="digits",
    model_version=3,
    stage="Production",
    run_id="r",
    key=model_key("digits", SHA),
    sha256=SHA,
    size=1000,
    input=ModelInput("inputs", 784, (28, 28)),
    output=ModelOutput("probabilities", 3),
    labels=(0, 1, "two"),
    transition_id="tr_1",
    cache_epoch=2,
    written_at="2026-01-01T00:00:00Z",
    metrics={"accuracy": 0.9},
)


def test_what_is_written_is_read_back():
    assert Manifest.from_json(MANIFEST.to_json()) == MANIFEST


def test_keys_stay_below_serving():
    assert manifest_key("digits", "Staging") == "serving/digits/Staging.json"
    assert model_key("digits", SHA) == f"serving/digits/{SHA}.onnx"


@pytest.mark.parametrize(
    ("change", "names"),
    [
        ({"key": "serving/other/" + SHA + ".onnx"}, "key"),
        ({"key": "../secret"}, "key"),
        ({"sha256": "xyz"}, "sha256"),
        ({"size": "1000"}, "size"),
        ({"model_version": True}, "model_version"),
        ({"cache_epoch": None}, "cache_epoch"),
        ({"cache_epoch_id": 5}, "cache_epoch_id"),
        ({"stage": 5}, "stage"),
        ({"labels": [0, 1]}, "labels"),
        ({"input": {"name": "inputs", "features": 0}}, "features"),
        ({"input": {"name": "inputs", "features": 784, "image": [28, 27]}}, "image"),
        ({"input": {"name": "inputs"}}, "features"),
        ({"output": 7}, "field"),
        ({"surprise": 1}, "surprise"),
        ({"schema": 2}, "schema"),
    ],
)
def test_a_manifest_that_cannot_be_served_from_is_refused_by_name(change, names):
    document = {**json.loads(MANIFEST.to_json()), **change}
    with pytest.raises(ManifestError, match=names):
        Manifest.from_json(json.dumps(document).encode())


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"null", MANIFEST.to_json()[:-20]])
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(ManifestError):
        Manifest.from_json(data)


def test_a_missing_field_is_refused():
    for name in json.loads(MANIFEST.to_json()):
        if name in ("self_test", "reference", "metrics", "cache_epoch_id"):
            continue
        document = json.loads(MANIFEST.to_json())
        del document[name]
        with pytest.raises(ManifestError):
            Manifest.from_json(json.dumps(document).encode())


def test_a_vector_model_has_no_image():
    vectors = replace(MANIFEST, input=ModelInput("inputs", 4))
    assert Manifest.from_json(vectors.to_json()).input.image is None
