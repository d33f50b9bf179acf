"""A version that was admitted is that file for ever, whatever is written to MLflow's artifacts and tags afterwards."""

import hashlib
from collections.abc import Callable

import onnx
import pytest

from mlops.domain.stages import Stage
from mlops.domain.transition import Transition
from tests.unit.registry.fakes import MODEL, ONNX, World


def another() -> bytes:
    """A model that passes every check, and is not the one that was admitted."""
    model = onnx.load_from_string(ONNX)
    model.doc_string = "another"
    data: bytes = model.SerializeToString()
    return data


OTHER = another()
ADMITTED, FOREIGN = (hashlib.sha256(data).hexdigest() for data in (ONNX, OTHER))


@pytest.fixture
def world() -> World:
    """Version 1 was in Production before version 2, which is in it now."""
    made = World()
    made.deliver(made.ask(1, "Production"))
    made.deliver(made.ask(2, "Production"))
    return made


def overwrite(world: World) -> None:
    """What the trainer's role could do: another file, and its hash as the tag."""
    world.serving.logged[1] = OTHER
    world.tracking.tags[1]["sha256"] = FOREIGN


def remove(world: World) -> None:
    world.serving.logged[1] = None


def served(world: World) -> tuple[int, str]:
    manifest = world.serving.manifests[Stage.PRODUCTION]
    return manifest.model_version, hashlib.sha256(world.serving.files[manifest.key]).hexdigest()


def outcome(world: World, message: dict[str, str]) -> Transition:
    world.deliver(message)
    world.check()
    return world.transitions.get(MODEL, message["transition_id"])


def test_the_hash_stands_in_the_transitions_record(world: World) -> None:
    moved = outcome(world, world.ask(3, "Staging"))
    assert moved.sha256 == ADMITTED
    assert world.transitions.items[moved.transition_id]["admitted"] == ADMITTED  # as in the version before


@pytest.mark.parametrize(
    ("change", "remark"), [(overwrite, f"a file with the SHA-256 {FOREIGN}"), (remove, "no model.onnx")]
)
def test_a_rollback_serves_the_admitted_file_and_reports_the_change(
    world: World, change: Callable[[World], None], remark: str
) -> None:
    change(world)
    moved = outcome(world, world.ask(1, "Production"))
    assert moved.status == "succeeded", moved.error
    assert served(world) == (1, ADMITTED)
    assert moved.sha256 == ADMITTED
    (digest,) = [gate for gate in moved.gates if gate.check == "sha256"]
    assert remark in digest.detail
    assert "are not served" in digest.detail
    assert world.tracking.tags[1]["sha256"] == ADMITTED


def test_nothing_is_remarked_of_a_file_that_is_as_it_was(world: World) -> None:
    moved = outcome(world, world.ask(1, "Production"))
    (digest,) = [gate for gate in moved.gates if gate.check == "sha256"]
    assert digest.detail == f"the file has {ADMITTED}"


def test_from_staging_to_production_the_file_is_the_same(world: World) -> None:
    world.deliver(world.ask(3, "Staging"))
    world.serving.logged[3] = OTHER
    world.tracking.tags[3]["sha256"] = FOREIGN
    assert outcome(world, world.ask(3, "Production")).status == "succeeded"
    assert served(world) == (3, ADMITTED)


def test_an_alias_moved_by_hand_to_an_overwritten_version_serves_the_admitted_file(world: World) -> None:
    overwrite(world)
    world.tracking.aliases["production"] = 1
    world.deliver(world.repair())
    world.check()
    assert served(world) == (1, ADMITTED)


@pytest.mark.parametrize("left", [None, b"damaged"])
def test_an_admitted_file_that_is_gone_comes_back_from_mlflow_if_that_is_the_same(
    world: World, left: bytes | None
) -> None:
    lose(world, left)
    assert outcome(world, world.ask(1, "Production")).status == "succeeded"
    assert served(world) == (1, ADMITTED)


@pytest.mark.parametrize("change", [overwrite, remove])
@pytest.mark.parametrize("left", [None, b"damaged"])
def test_a_version_whose_admitted_file_is_nowhere_is_refused_and_production_stays(
    world: World, change: Callable[[World], None], left: bytes | None
) -> None:
    change(world)
    lose(world, left)
    moved = outcome(world, world.ask(1, "Production"))
    assert moved.status == "rejected"
    assert f"admitted as the file with the SHA-256 {ADMITTED}, which is gone" in str(moved.error)
    assert str(moved.error).endswith("Register the model as a new version")
    assert world.serving.manifests[Stage.PRODUCTION].model_version == 2


def test_a_file_that_does_not_fit_its_tag_is_never_admitted(world: World) -> None:
    world.serving.logged[3], world.tracking.tags[3]["sha256"] = OTHER, ADMITTED
    moved = outcome(world, world.ask(3, "Production"))
    assert moved.status == "rejected"
    assert "register the file as a new version" in str(moved.error)


def test_a_model_that_was_registered_again_is_not_bound_to_the_old_ones_versions(world: World) -> None:
    world.serving.logged[1], world.tracking.tags[1] = OTHER, {"stage": "Registered"}
    world.tracking.created_at[1] = "9999-01-01T00:00:00.000Z"
    moved = outcome(world, world.ask(1, "Production"))
    assert (moved.status, moved.sha256) == ("succeeded", FOREIGN)


def test_what_the_version_before_recorded_without_a_hash_is_bound_with_its_next_transition(world: World) -> None:
    for item in world.transitions.items.values():
        del item["admitted"]
    assert outcome(world, world.ask(1, "Production")).sha256 == ADMITTED
    overwrite(world)
    world.deliver(world.ask(2, "Production"))
    assert outcome(world, world.ask(1, "Production")).status == "succeeded"
    assert served(world) == (1, ADMITTED)


def lose(world: World, left: bytes | None) -> None:
    for key in list(world.serving.files):
        if left is None:
            del world.serving.files[key]
        else:
            world.serving.files[key] = left
