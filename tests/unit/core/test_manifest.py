import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mlops.domain.examination import GATE_REVISION, is_due
from mlops.domain.manifest import (
    READER,
    Manifest,
    ManifestError,
    manifest_key,
    model_key,
    with_cache_epoch,
    with_examination,
)
from mlops.domain.model_description import ModelInput, ModelOutput
from mlops_contract import Task
from tests.support.fuzzing import budget
from tests.support.steps import as_a_newer_version_writes
from tests.support.table_models import contract

SHA = "ab" * 32
MANIFEST = Manifest(
    model_name="digits",
    model_version=3,
    stage="Production",
    run_id="r",
    key=model_key("digits", SHA),
    sha256=SHA,
    size=1000,
    input=ModelInput("inputs", 784, (28, 28), "digits"),
    output=ModelOutput("probabilities", 3),
    labels=(0, 1, "two"),
    transition_id="tr_1",
    cache_epoch=2,
    written_at="2026-01-01T00:00:00Z",
    metrics={"accuracy": 0.9},
    self_test={"inputs": "AAAA", "probabilities": "AAAA", "count": 1, "tolerance": 1e-4},
    reference={
        "count": 3,
        "predictions": {"counts": [1, 1, 1]},
        "confidence": {"edges": [0.0, 0.5, 1.0], "counts": [1, 2]},
        "mean_intensity": None,
        "ink_share": None,
        "block_means": {"rows": 1, "cols": 2, "sums": [0.5, 1], "squares": [0.25, 1]},
    },
)

TABLE = replace(
    MANIFEST,
    input=None,
    labels=("stays", "leaves"),
    output=ModelOutput("probabilities", 2),
    contract=contract(),
    self_test={"rows": [{"age": 1}], "outputs": "AAAA"},
    reference=None,
)
QUANTITY = replace(
    TABLE, labels=(), output=ModelOutput("prediction", 1), contract=contract(task=Task.REGRESSION), self_test=None
)


@pytest.mark.parametrize("manifest", [MANIFEST, TABLE, QUANTITY], ids=["image", "table", "quantity"])
def test_what_is_written_is_read_back(manifest):
    assert Manifest.from_json(manifest.to_json()) == manifest


def test_only_a_manifest_with_a_contract_needs_the_reader_of_contracts():
    assert json.loads(TABLE.to_json())["min_reader"] == 2
    assert not {"min_reader", "contract"} & json.loads(MANIFEST.to_json()).keys()
    assert (TABLE.predicts_quantity, QUANTITY.predicts_quantity, MANIFEST.predicts_quantity) == (False, True, False)


@pytest.mark.parametrize(
    ("manifest", "change", "names"),
    [
        (TABLE, {"input": {"name": "inputs", "features": 4}}, "either the field input or the field contract"),
        (TABLE, {"contract": None}, "the field input is"),
        (TABLE, {"contract": []}, "contract is not an object"),
        (TABLE, {"contract": {"task": "ranking"}}, "contract.task"),
        (TABLE, {"contract": {"task": "classification", "target": "y", "columns": []}}, "contract.columns"),
        (TABLE, {"output": {"name": "scores", "classes": 2}}, "output.name is not 'probabilities'"),
        (TABLE, {"labels": ["stays"]}, "1 labels do not fit 2 classes"),
        (TABLE, {"self_test": {"inputs": "", "probabilities": ""}}, "self_test.rows"),
        (TABLE, {"self_test": {"rows": [], "outputs": ""}}, "self_test.rows"),
        (TABLE, {"self_test": {"rows": [5], "outputs": ""}}, "self_test.rows"),
        (TABLE, {"self_test": {"rows": [{}]}}, "self_test.outputs"),
        (QUANTITY, {"labels": ["a"]}, "neither labels nor a reference"),
        (QUANTITY, {"output": {"name": "prediction", "classes": 2}}, "one output"),
        (QUANTITY, {"reference": {"count": 1, "predictions": {"counts": [1]}}}, "neither labels nor a reference"),
        (QUANTITY, {"output": {"name": "probabilities", "classes": 1}}, "output.name is not 'prediction'"),
    ],
)
def test_a_contract_that_does_not_fit_the_manifest_is_refused_by_name(manifest, change, names):
    with pytest.raises(ManifestError, match=names):
        Manifest.from_json(json.dumps(json.loads(manifest.to_json()) | change).encode())


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
        ({"gate_revision": "1"}, "gate_revision"),
        ({"gate_revision": -1}, "gate_revision"),
        ({"refusal": True}, "refusal"),
        ({"refusal": "\ud800"}, "refusal"),
        ({"stage": 5}, "stage"),
        ({"labels": [0, 1]}, "labels"),
        ({"input": {"name": "inputs", "features": 0}}, "features"),
        ({"input": {"name": "inputs", "features": 784, "image": [28, 27]}}, "image"),
        ({"input": {"name": "inputs", "features": 784, "framing": 5}}, "framing"),
        ({"input": {"name": "inputs"}}, "features"),
        ({"output": 7}, "field"),
        ({"schema": 2}, "schema"),
        ({"schema": True}, "schema"),
        ({"min_reader": READER + 1}, f"min_reader is {READER + 1}, and this reader is {READER}"),
        ({"min_reader": READER + 1, "schema": 2, "output": 7}, "min_reader"),
        ({"min_reader": "1"}, "min_reader"),
        ({"min_reader": True}, "min_reader"),
        ({"min_reader": 0}, "min_reader"),
        ({"model_version": 0}, "model_version"),
        ({"model_version": 2**63}, "model_version"),
        ({"size": -1}, "size"),
        ({"size": 1e3}, "size"),
        ({"cache_epoch": -1}, "cache_epoch"),
        ({"cache_epoch": False}, "cache_epoch"),
        ({"run_id": None}, "run_id"),
        ({"model_name": "\ud800"}, "model_name"),
        ({"transition_id": "\udfff"}, "transition_id"),
        ({"labels": "012"}, "labels"),
        ({"labels": {"0": 0, "1": 1, "2": 2}}, "labels"),
        ({"labels": [0, 1, 2.0]}, r"labels\[2\]"),
        ({"labels": [0, True, 2]}, r"labels\[1\]"),
        ({"labels": [None, 1, 2]}, r"labels\[0\]"),
        ({"labels": [0, 1, 2**63]}, r"labels\[2\]"),
        ({"labels": [0, 1, "\ud800"]}, r"labels\[2\]"),
        ({"input": []}, "input"),
        ({"input": {"name": 5, "features": 784}}, "input.name"),
        ({"input": {"name": "inputs", "features": True}}, "input.features"),
        ({"input": {"name": "inputs", "features": 784, "image": []}}, "input.image"),
        ({"input": {"name": "inputs", "features": 784, "image": [784]}}, "input.image"),
        ({"input": {"name": "inputs", "features": 784, "image": [-28, -28]}}, "input.image"),
        ({"input": {"name": "inputs", "features": 784, "image": [28.0, 28.0]}}, "input.image"),
        ({"input": {"name": "inputs", "features": 784, "image": "ab"}}, "input.image"),
        ({"output": {"name": "probabilities", "classes": 3.0}}, "output.classes"),
        ({"self_test": []}, "self_test"),
        ({"self_test": {"inputs": "AAAA"}}, "self_test.probabilities"),
        ({"self_test": {"inputs": [], "probabilities": ""}}, "self_test.inputs"),
        ({"self_test": {"inputs": "", "probabilities": "", "tolerance": float("nan")}}, "self_test.tolerance"),
        ({"reference": 1}, "reference"),
        ({"reference": {"count": 1}}, "reference.predictions"),
        ({"reference": {"count": "1", "predictions": {"counts": [1, 0, 0]}}}, "reference.count"),
        ({"reference": {"count": 1, "predictions": {"counts": [1]}}}, "reference.predictions.counts"),
        ({"reference": {"count": 1, "predictions": {"counts": [1, 0, "0"]}}}, "reference.predictions.counts"),
        (
            {"reference": {**MANIFEST.reference, "confidence": {"counts": [float("inf")]}}},
            "reference.confidence.counts",
        ),
        ({"reference": {**MANIFEST.reference, "block_means": {"sums": [1], "squares": []}}}, "reference.block_means"),
        ({"metrics": [0.9]}, "metrics"),
        ({"metrics": {"accuracy": "0.9"}}, "metrics.accuracy"),
        ({"metrics": {"accuracy": True}}, "metrics.accuracy"),
        ({"metrics": {"accuracy": 10**400}}, "metrics.accuracy"),
    ],
)
def test_a_manifest_that_cannot_be_served_from_is_refused_by_name(change, names):
    document = {**json.loads(MANIFEST.to_json()), **change}
    with pytest.raises(ManifestError, match=names):
        Manifest.from_json(json.dumps(document).encode())


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{",
        b"[]",
        b"null",
        b"\x00\xff",
        b"\xed\xa0\x80",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"9" * 5000,
        b'{"size":' + b"9" * 5000 + b"}",
        MANIFEST.to_json()[:-20],
        MANIFEST.to_json().replace(b"digits", b"d\xffgits"),
    ],
    ids=lambda data: data[:12],
)
def test_what_is_no_manifest_is_refused(data):
    with pytest.raises(ManifestError):
        Manifest.from_json(data)


def test_a_missing_field_is_refused():
    for name in json.loads(MANIFEST.to_json()):
        optional = (
            "self_test",
            "reference",
            "column_reference",
            "metrics",
            "cache_epoch_id",
            "gate_revision",
            "refusal",
            "explanations",
            "decision_threshold",
        )
        if name in optional:
            continue
        document = json.loads(MANIFEST.to_json())
        del document[name]
        with pytest.raises(ManifestError):
            Manifest.from_json(json.dumps(document).encode())


def test_a_vector_model_has_no_image():
    vectors = replace(MANIFEST, input=ModelInput("inputs", 4))
    assert Manifest.from_json(vectors.to_json()).input.image is None


def test_what_a_newer_version_writes_besides_is_passed_over_at_every_level():
    found = Manifest.from_json(as_a_newer_version_writes(MANIFEST.to_json()))
    # These two stay as they are written; their readers take them field by field.
    assert "surprise" in found.self_test
    assert replace(found, self_test=known(found.self_test), reference=known(found.reference)) == MANIFEST


def known(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: known(entry) for key, entry in value.items() if key != "surprise"}
    return value


def test_a_manifest_says_itself_that_this_reader_is_good_enough():
    document = json.loads(MANIFEST.to_json())
    assert "min_reader" not in document  # readers of the version before refuse what they do not know
    assert Manifest.from_json(json.dumps(document | {"min_reader": READER}).encode()) == MANIFEST
    assert Manifest.from_json(json.dumps(document | {"min_reader": None}).encode()) == MANIFEST


def test_a_metric_that_is_not_finite_is_passed_over():
    diverged = replace(MANIFEST, metrics={"accuracy": 0.9, "loss": float("nan"), "val_loss": float("inf")})
    assert Manifest.from_json(diverged.to_json()).metrics == {"accuracy": 0.9}


def test_the_reason_can_be_logged_whatever_the_names_in_the_document_are():
    document = json.loads(MANIFEST.to_json()) | {"metrics": {"\ud800" + "x" * 100_000: "?"}}
    with pytest.raises(ManifestError) as refused:
        Manifest.from_json(json.dumps(document).encode())
    assert len(str(refused.value).encode()) < 300


def test_another_cache_epoch_leaves_all_else_as_it_is():
    newer = as_a_newer_version_writes(MANIFEST.to_json())
    raised = with_cache_epoch(newer, 3, "tr_2")
    assert json.loads(raised) == json.loads(newer) | {"cache_epoch": 3, "cache_epoch_id": "tr_2"}


def test_an_examination_leaves_all_else_as_it_is():
    newer = as_a_newer_version_writes(MANIFEST.to_json())
    noted = json.loads(with_examination(newer, 3, "it answers with 1 number per row", "2026-02-01T00:00:00.000Z"))
    examined = {"gate_revision": 3, "refusal": "it answers with 1 number per row"}
    assert noted == json.loads(newer) | examined | {"written_at": "2026-02-01T00:00:00.000Z"}


def test_the_manifest_of_the_version_before_says_nothing_of_an_examination():
    document = json.loads(MANIFEST.to_json())
    del document["gate_revision"], document["refusal"]
    found = Manifest.from_json(json.dumps(document).encode())
    assert (found.gate_revision, found.refusal) == (0, None)
    assert is_due(found)


@pytest.mark.parametrize(
    ("changes", "due"),
    [
        ({"gate_revision": GATE_REVISION}, False),
        ({"gate_revision": GATE_REVISION - 1}, True),
        ({"gate_revision": GATE_REVISION + 1}, True),
        ({"gate_revision": GATE_REVISION, "refusal": "no", "written_at": "2999-01-01T00:00:00.000Z"}, False),
        ({"gate_revision": GATE_REVISION, "refusal": "no"}, True),  # for a day and longer
        ({"gate_revision": GATE_REVISION, "refusal": "no", "written_at": "no time"}, False),  # and no error
    ],
    ids=str,
)
def test_a_file_is_due_after_a_change_of_the_gate_and_daily_while_it_is_refused(changes, due):
    assert is_due(replace(MANIFEST, **changes)) is due


# Whole numbers beyond what Python writes as decimals cannot come from JSON.
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(10**400), 10**400) | st.floats() | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)


def read(data: bytes) -> Manifest | None:
    """The manifest, which then holds what its readers rely on; None if it is refused. Nothing else may be raised."""
    try:
        found = Manifest.from_json(data)
    except ManifestError as error:
        str(error).encode()
        return None
    assert Manifest.from_json(found.to_json()) == found
    assert all(type(label) in (int, str) for label in found.labels)
    assert (found.input is None) == (found.contract is not None)
    assert len(found.labels) == (0 if found.predicts_quantity else found.output.classes)
    assert found.key.startswith(f"serving/{found.model_name}/")
    return found


Place = tuple[Manifest, tuple[Any, ...]]
"""A manifest, and where a value stands in its document."""


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where each value stands in a document, lists' entries included."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return ([path] if path else []) + [found for key, entry in inner for found in paths(entry, (*path, key))]


def changed(place: Place, change: Any) -> bytes:
    manifest, path = place
    document = json.loads(manifest.to_json())
    holder = document
    for key in path[:-1]:
        holder = holder[key]
    change(holder, path[-1])
    return json.dumps(document).encode()


PLACES = [(manifest, path) for manifest in (MANIFEST, TABLE) for path in paths(json.loads(manifest.to_json()))]


@pytest.mark.parametrize("place", PLACES, ids=lambda place: str(place[1]))
def test_any_field_may_be_missing(place):
    read(changed(place, lambda holder, key: holder.pop(key)))


@pytest.mark.fuzz
@budget(100)
@given(st.sampled_from(PLACES), VALUES)
@example((MANIFEST, ("cache_epoch",)), 2**63)
@example((MANIFEST, ("labels", 0)), "\ud800")
@example((MANIFEST, ("reference", "predictions")), None)
@example((TABLE, ("contract", "columns", 0, "low")), 10**400)
@example((TABLE, ("contract", "columns", 0, "high")), float("nan"))
@example((TABLE, ("contract", "columns", 0, "position")), 10**30)
def test_any_field_may_have_any_value(place, value):
    read(changed(place, lambda holder, key: holder.__setitem__(key, value)))


@pytest.mark.fuzz
@budget(100)
@given(st.lists(st.tuples(st.integers(0, len(MANIFEST.to_json()) - 1), st.integers(0, 255)), min_size=1, max_size=4))
def test_any_bytes_may_be_others(flips):
    data = bytearray(MANIFEST.to_json())
    for place, byte in flips:
        data[place] = byte
    read(bytes(data))


@pytest.mark.fuzz
@budget(100)
@given(VALUES.map(lambda value: json.dumps(value).encode()) | st.binary())
def test_any_document_may_come(data):
    read(data)
