"""The check `proof`: the gate asks what the trainer has kept of its proof, and compares with the original's answers."""

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace

import boto3
import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from benchmarks.tables.through_trainer import Unwatched
from mlops.domain.dataset_deletion import TAG as DELETED_TAG
from mlops.domain.stages import Stage
from mlops.domain.transition import GateResult, Transition
from mlops_contract import Task
from mlops_contract.onnx_file import ModelFile
from mlops_contract.proof_rows import MAX_BYTES, PROOF_FILE, ProofRows
from promotion.examination import Beside, Examine, Limits, Placement, examine, examine_apart
from promotion.gate import GateSettings, check_integrity
from promotion.proof import Reasked, proof_result
from promotion.serving_store import ServingStore
from tests.support import coded
from tests.unit.registry.fakes import MODEL, ONNX, World
from trainer import models
from trainer.export import Exported, export
from trainer.models import Trained
from trainer.parameters import Parameters

PLACEMENT = Placement(MODEL, 1, Stage.PRODUCTION, "run", {}, "tr_1")
LIMITS = Limits(1769)


def trained(task: Task) -> Trained:
    asked = Parameters(model_type="lightgbm", hyperparameters={"n_estimators": 20, "min_child_samples": 5})
    return models.find("lightgbm").train(coded.made(task), models.resolved(asked), Unwatched())


@pytest.fixture(scope="module")
def exported() -> dict[Task, Exported]:
    """A model of each task, as the trainer has exported it."""
    return {task: export(trained(task), coded.made(task)) for task in Task}


def proof(exported: Exported) -> bytes:
    assert exported.proof_rows is not None
    return exported.proof_rows


def changed(content: bytes, *, leaves: float = 1.0, self_test: bool = False, **metadata: object) -> bytes:
    """The file with its leaves multiplied, and other metadata."""
    model = onnx.load_from_string(content)
    (trees,) = [node for node in model.graph.node if node.op_type == "TreeEnsemble"]
    (weights,) = [attribute for attribute in trees.attribute if attribute.name == "leaf_weights"]
    weights.t.CopyFrom(numpy_helper.from_array((numpy_helper.to_array(weights.t) * leaves).astype(np.float32)))
    document = json.loads(model.metadata_props[0].value) | metadata
    if not self_test:
        del document["self_test"]
    onnx.helper.set_model_props(model, {"mlops": json.dumps(document)})
    data: bytes = model.SerializeToString()
    return data


def check(data: bytes, kept: bytes | None, *, admitted: bool = False, how: Examine = examine) -> GateResult:
    """The result of the check for a file, and the proof of its run."""
    settings = GateSettings(max_latency_ms=1e6)
    integrity = check_integrity(
        ModelFile(data),
        None,
        lambda: how(ModelFile(data), PLACEMENT, LIMITS, Beside(kept)),
        settings,
        admitted=admitted,
    )
    (result,) = [result for result in integrity.results if result.check == "proof"]
    assert result.kind == "integrity"
    return result


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("how", [examine, examine_apart])
def test_a_file_that_answers_as_the_original_passes(exported: dict[Task, Exported], task: Task, how: Examine) -> None:
    made = exported[task]
    rows = len(coded.made(task).held_out)
    result = check(made.content, proof(made), how=how)
    assert result.passed
    assert result.detail.startswith(f"0 of {rows} rows are answered otherwise than by the original model")
    assert "at most 0.1% may be" in result.detail


@pytest.mark.parametrize("task", list(Task))
@pytest.mark.parametrize("how", [examine, examine_apart])
def test_a_file_that_answers_otherwise_is_refused(exported: dict[Task, Exported], task: Task, how: Examine) -> None:
    made = exported[task]
    result = check(changed(made.content, leaves=1.01), proof(made), how=how)
    assert not result.passed
    assert "train the model again" in result.detail
    assert int(result.detail.split(" of ")[0]) > 10


def test_quantities_are_compared_in_parts_of_the_interquartile_range(exported: dict[Task, Exported]) -> None:
    made = exported[Task.REGRESSION]
    document = made.proof
    assert document is not None
    rows = ProofRows.from_bytes(proof(made))
    assert rows.scale == document["scale"]
    for shift, passes in ((0.5, True), (2.0, False)):
        moved = replace(
            rows, expected=rows.expected + np.float32(shift * document["tolerance"] * rows.scale)
        ).to_bytes()
        stated = changed(made.content, proof={"sha256": hashlib.sha256(moved).hexdigest()})
        assert check(stated, moved).passed is passes


@pytest.mark.parametrize(("rows", "off", "passes"), [(1000, 1, True), (1000, 2, False), (999, 1, False), (10, 0, True)])
def test_a_share_of_the_rows_may_differ(rows: int, off: int, passes: bool) -> None:
    assert proof_result(Reasked(rows, off, 0.5), 0.001, admitted=False).passed is passes


def test_the_largest_difference_is_said() -> None:
    detail = proof_result(Reasked(1000, 40, 0.31), 0.01, admitted=False).detail
    assert detail.startswith("40 of 1000 rows")
    assert "at most 1% may be. The largest difference is 0.31" in detail


def other(kept: bytes) -> bytes:
    rows = ProofRows.from_bytes(kept)
    return replace(rows, expected=rows.expected[::-1]).to_bytes()


LOST: list[tuple[Callable[[bytes], bytes | None], str]] = [
    (lambda kept: None, "its run has no proof.npz"),
    (other, "has the SHA-256"),
    (lambda kept: kept[:100], "has the SHA-256"),
]


@pytest.mark.parametrize(("lost", "reason"), LOST)
def test_a_version_whose_proof_is_gone_or_another_is_refused(
    exported: dict[Task, Exported], lost: Callable[[bytes], bytes | None], reason: str
) -> None:
    made = exported[Task.CLASSIFICATION]
    for how in (examine, examine_apart):
        result = check(made.content, lost(proof(made)), how=how)
        assert not result.passed
        assert reason in result.detail
        assert "train the model again" in result.detail


@pytest.mark.parametrize(("lost", "reason"), LOST)
def test_one_that_was_admitted_with_it_stays_admitted(
    exported: dict[Task, Exported], lost: Callable[[bytes], bytes | None], reason: str
) -> None:
    made = exported[Task.CLASSIFICATION]
    result = check(made.content, lost(proof(made)), admitted=True)
    assert result.passed
    assert reason in result.detail
    assert "it was asked when the version was first admitted" in result.detail


@pytest.mark.parametrize(
    ("kept", "reason"),
    [
        (b"no npz", "cannot be read"),
        (ProofRows({"numbers": np.zeros((2, 1), np.float32)}, np.ones((2, 2), np.float32), 1.0).to_bytes(), "not take"),
    ],
)
def test_a_proof_that_does_not_fit_the_file_is_refused(
    exported: dict[Task, Exported], kept: bytes, reason: str
) -> None:
    stated = changed(exported[Task.CLASSIFICATION].content, proof={"sha256": hashlib.sha256(kept).hexdigest()})
    result = check(stated, kept)
    assert not result.passed
    assert reason in result.detail


@pytest.mark.parametrize("how", [examine, examine_apart])
def test_rows_of_vectors_are_asked_again_too(how: Examine) -> None:
    vectors = replace(coded.made(Task.CLASSIFICATION), contract=None, feature_columns=(), profile=None)
    made = export(trained(Task.CLASSIFICATION), vectors)
    right = check(made.content, proof(made), how=how)
    assert right.passed
    assert right.detail.startswith(f"0 of {len(vectors.held_out)} rows are answered otherwise")
    assert not check(changed(made.content, leaves=1.01), proof(made), how=how).passed


@pytest.mark.parametrize("kept", [None, b"of another model"])
def test_a_file_without_a_proof_passes_and_the_check_says_so(kept: bytes | None) -> None:
    for how in (examine, examine_apart):
        result = check(ONNX, kept, how=how)
        assert result.passed
        assert result.detail == "the file has no proof: there is no original model to compare it with"


class TestTransitions:
    """With `force`, which skips the metric gate only."""

    @pytest.fixture
    def world(self, exported: dict[Task, Exported]) -> World:
        made = World()
        made.tracking.metrics[1] = {"accuracy": 0.9}
        made.serving.logged[1] = exported[Task.CLASSIFICATION].content
        made.serving.proofs[1] = proof(exported[Task.CLASSIFICATION])
        made.serving.explanations[1] = exported[Task.CLASSIFICATION].explanation or b""
        return made

    def moved(self, world: World, version: int) -> Transition:
        message = world.ask(version, "Production")
        world.deliver(message)
        world.check()
        return world.transitions.get(MODEL, message["transition_id"])

    def result(self, transition: Transition) -> GateResult:
        (result,) = [gate for gate in transition.gates if gate.check == "proof"]
        return result

    def test_the_proof_of_the_versions_run_is_asked(self, world: World) -> None:
        transition = self.moved(world, 1)
        assert transition.status == "succeeded", transition.error
        assert self.result(transition).detail.startswith("0 of ")

    def test_force_does_not_pass_a_file_that_answers_otherwise(self, world: World) -> None:
        world.serving.logged[1] = changed(world.serving.logged[1] or b"", leaves=1.01)
        transition = self.moved(world, 1)
        assert transition.status == "rejected"
        assert "otherwise than by the original model" in str(transition.error)
        assert world.serving.manifests == {}

    def test_force_does_not_pass_a_version_whose_proof_is_gone(self, world: World) -> None:
        del world.serving.proofs[1]
        transition = self.moved(world, 1)
        assert transition.status == "rejected"
        assert "its run has no proof.npz" in str(transition.error)

    def test_the_gate_says_by_whom_the_rows_were_deleted(self, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
        found, by = world.tracking.run, "by ann at 2026-06-01T00:00:00.000Z"
        monkeypatch.setattr(world.tracking, "run", lambda run_id: {**found(run_id), "tags": {DELETED_TAG: by}})
        kept = world.serving.proofs.pop(1)
        late = self.moved(world, 1)
        assert (late.status, f"were deleted with their data set {by}" in str(late.error)) == ("rejected", True)
        world.serving.proofs[1] = kept
        assert self.moved(world, 1).status == "succeeded", "as long as the rows are there"
        self.moved(world, 2)
        del world.serving.proofs[1]
        back = self.moved(world, 1)
        assert back.status == "succeeded", back.error
        assert f"were deleted with their data set {by}; it was asked" in self.result(back).detail

    def test_a_rollback_to_a_version_whose_run_was_deleted_since(self, world: World) -> None:
        self.moved(world, 1)
        self.moved(world, 2)
        del world.tracking.metrics[1]
        transition = self.moved(world, 1)
        assert transition.status == "succeeded", transition.error
        assert "it was asked when the version was first admitted" in self.result(transition).detail


@pytest.mark.usefixtures("aws")
def test_the_store_reads_the_proof_of_a_run() -> None:
    s3 = boto3.client("s3")
    s3.create_bucket(Bucket="artifacts")
    s3.put_object(Bucket="artifacts", Key=f"mlflow/1/run/artifacts/{PROOF_FILE}", Body=b"rows")
    s3.put_object(Bucket="artifacts", Key=f"mlflow/1/large/artifacts/{PROOF_FILE}", Body=bytes(MAX_BYTES + 9))
    store = ServingStore("artifacts")
    assert store.proof("s3://artifacts/mlflow/1/run/artifacts") == b"rows"
    assert store.proof("s3://artifacts/mlflow/1/none/artifacts") is None
    assert store.proof("s3://elsewhere/mlflow/1/run/artifacts") is None
    assert store.proof("") is None
    assert len(store.proof("s3://artifacts/mlflow/1/large/artifacts") or b"") == MAX_BYTES
