"""The check `explanations`: explain.npz is bound to the model by its hash, published with it, and comes back."""

import json
from dataclasses import replace
from typing import Any

import onnx
import pytest

from benchmarks.tables.through_trainer import Unwatched
from mlops.domain.manifest import explain_key, model_key
from mlops.domain.stages import Stage
from mlops.domain.transition import GateResult
from mlops_contract import Task
from mlops_contract.onnx_file import ModelFile
from promotion.examination import Beside, Examine, examine, examine_apart
from promotion.gate import GateSettings, check_integrity
from tests.support import coded
from tests.unit.registry.fakes import MODEL, ONNX, World
from tests.unit.registry.test_proof import LIMITS, PLACEMENT, changed, trained
from trainer import models
from trainer.export import Exported, export
from trainer.parameters import Parameters


@pytest.fixture(scope="module")
def exported() -> Exported:
    return export(trained(Task.CLASSIFICATION), coded.made(Task.CLASSIFICATION))


@pytest.fixture(scope="module")
def other() -> Exported:
    """Another model of the same columns."""
    dataset = coded.made(Task.CLASSIFICATION)
    turned = replace(dataset, train=replace(dataset.train, targets=1 - dataset.train.targets))
    asked = Parameters(model_type="lightgbm", hyperparameters={"n_estimators": 20, "min_child_samples": 5})
    return export(models.find("lightgbm").train(turned, models.resolved(asked), Unwatched()), turned)


def check(data: bytes, beside: Beside, *, admitted: bool = False, how: Examine = examine) -> GateResult:
    settings = GateSettings(max_latency_ms=1e6)
    file = ModelFile(data)
    integrity = check_integrity(file, None, lambda: how(file, PLACEMENT, LIMITS, beside), settings, admitted=admitted)
    (result,) = [result for result in integrity.results if result.check == "explanations"]
    return result


def world_of(exported: Exported) -> World:
    made = World()
    made.tracking.metrics[1] = {"accuracy": 0.9}
    made.serving.logged[1] = exported.content
    made.serving.proofs[1] = exported.proof_rows or b""
    made.serving.explanations[1] = exported.explanation or b""
    return made


def moved(world: World, version: int, stage: str = "Production") -> Any:
    message = world.ask(version, stage)
    world.deliver(message)
    world.check()
    return world.transitions.get(MODEL, message["transition_id"])


@pytest.mark.parametrize("how", [examine, examine_apart])
def test_a_file_that_explains_its_answers_passes(exported: Exported, how: Examine) -> None:
    result = check(exported.content, Beside(exported.proof_rows, exported.explanation), how=how)
    assert (result.passed, result.detail) == (True, "the parts of its answers add up to them")


@pytest.mark.parametrize("how", [examine, examine_apart])
def test_the_file_of_another_model_is_refused(exported: Exported, other: Exported, how: Examine) -> None:
    assert other.explanation != exported.explanation
    result = check(exported.content, Beside(exported.proof_rows, other.explanation), how=how)
    assert not result.passed
    assert "and its own has" in result.detail
    assert result.detail.endswith("train the model again, and promote the new version")
    # The same with the hash corrected, as a fault in training would have it.
    stated = json.loads(onnx.load_from_string(other.content).metadata_props[0].value)["explain"]
    mixed = changed(exported.content, self_test=True, explain=stated)
    result = check(mixed, Beside(exported.proof_rows, other.explanation), how=how)
    assert not result.passed
    assert "do not add up to them" in result.detail


def test_a_file_that_is_missing_is_refused_unless_the_version_was_admitted(exported: Exported) -> None:
    assert check(exported.content, Beside(exported.proof_rows)) == GateResult(
        "explanations",
        False,
        "there is no explain.npz: train the model again, and promote the new version",
    )
    assert check(exported.content, Beside(exported.proof_rows), admitted=True).passed


def test_a_model_from_elsewhere_passes_and_the_check_says_that_nothing_is_explained() -> None:
    assert check(ONNX, Beside()) == GateResult("explanations", True, "the file says nothing of explanations")


def test_promotion_publishes_what_explains_the_model_and_a_rollback_serves_it_again(exported: Exported) -> None:
    world = world_of(exported)
    assert moved(world, 1).status == "succeeded"
    first = world.serving.manifests[Stage.PRODUCTION]
    assert first.explanations is not None
    key = explain_key(MODEL, first.sha256)
    assert world.serving.files[key] == exported.explanation
    assert moved(world, 2).status == "succeeded"
    assert {model_key(MODEL, first.sha256), key} <= world.archive_tags.archived
    del world.serving.explanations[1]  # MLflow's artifacts were deleted since
    assert moved(world, 1).status == "succeeded"
    assert world.serving.manifests[Stage.PRODUCTION].explanations == first.explanations
    assert world.serving.files[key] == exported.explanation


def test_what_was_overwritten_in_mlflow_is_not_published(exported: Exported, other: Exported) -> None:
    world = world_of(exported)
    moved(world, 1)
    moved(world, 2)
    world.serving.explanations[1] = other.explanation or b""
    assert moved(world, 1).status == "succeeded"
    manifest = world.serving.manifests[Stage.PRODUCTION]
    assert world.serving.files[explain_key(MODEL, manifest.sha256)] == exported.explanation


def test_a_version_whose_file_is_nowhere_serves_on_without_explanations(exported: Exported) -> None:
    world = world_of(exported)
    moved(world, 1)
    moved(world, 2)
    del world.serving.explanations[1]
    for key in [key for key in world.serving.files if key.endswith(".npz")]:
        del world.serving.files[key]
    assert moved(world, 1).status == "succeeded"
    explanations = world.serving.manifests[Stage.PRODUCTION].explanations
    assert explanations is not None
    assert (explanations.sha256, explanations.reason) == (None, "there is no explain.npz")
