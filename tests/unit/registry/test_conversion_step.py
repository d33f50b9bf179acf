"""A transition of a version without an ONNX file waits for its conversion, and goes on by itself."""

from typing import Any

import pytest

from mlops.domain.conversion import ConversionStatus
from mlops_contract.onnx_file import ModelFile
from tests.support.crashes import Crash
from tests.unit.registry.fakes import ONNX, World

PYFUNC = "flavors:\n  python_function:\n    loader_module: mlflow.pyfunc.model\nrun_id: r\n"
SKLEARN = "flavors:\n  python_function:\n    loader_module: mlflow.sklearn\n  sklearn:\n    code: null\n"
SHA256 = ModelFile(ONNX).sha256


@pytest.fixture
def world() -> World:
    """Three versions. The third was logged with plain MLflow, as scikit-learn's."""
    made = World()
    made.serving.logged[3] = None
    made.serving.mlmodels[3] = SKLEARN
    return made


def status(world: World, message: dict[str, Any]) -> str:
    return str(world.transitions.items[message["transition_id"]]["status"])


def convert(world: World, version: int = 3) -> None:
    """The job ends well."""
    identifier = world.conversions.found[version].conversion_id
    world.serving.converted[identifier] = ONNX
    world.conversions.end(version, status=ConversionStatus.SUCCEEDED, sha256=SHA256, task="classification")


def test_a_transition_waits_and_then_goes_on(world: World) -> None:
    message = world.ask(3, "Production")
    world.deliver(message)
    assert status(world, message) == "converting"
    assert world.conversions.sources == ["mlflow/3/"]
    assert world.conversions.found[3].waiting == {message["transition_id"]}
    assert world.tracking.aliases == {}
    convert(world)
    world.deliver(message)
    assert status(world, message) == "succeeded"
    assert world.tracking.aliases == {"production": 3}
    assert world.tracking.tags[3]["sha256"] == SHA256
    world.check()


def test_waiting_is_no_try(world: World) -> None:
    message = world.ask(3, "Production")
    for _ in range(10):
        world.deliver(message)
    assert status(world, message) == "converting"
    assert len(world.conversions.sources) == 1
    convert(world)
    world.deliver(message)
    assert status(world, message) == "succeeded"


def test_the_reason_of_a_failed_conversion_is_that_of_the_rejection(world: World) -> None:
    message = world.ask(3, "Production")
    world.deliver(message)
    world.conversions.end(3, status=ConversionStatus.FAILED, error="the step 'tfidf' has no equivalent")
    world.deliver(message)
    assert status(world, message) == "rejected"
    assert "the step 'tfidf' has no equivalent" in world.transitions.items[message["transition_id"]]["error"]
    world.check()


def test_a_new_request_after_a_failure_converts_again(world: World) -> None:
    first = world.ask(3, "Production")
    world.deliver(first)
    world.conversions.end(
        3, status=ConversionStatus.FAILED, error="out of memory", created_at="2020-01-01T00:00:00.000000+00:00"
    )
    world.deliver(first)
    again = world.ask(3, "Production")
    world.deliver(again)
    assert status(world, again) == "converting"
    assert len(world.conversions.sources) == 2


def test_a_version_that_was_converted_before_does_not_wait(world: World) -> None:
    first = world.ask(3, "Staging")
    world.deliver(first)
    convert(world)
    world.deliver(first)
    second = world.ask(3, "Production")
    world.deliver(second)
    assert status(world, second) == "succeeded"
    assert len(world.conversions.sources) == 1


def test_the_last_request_counts(world: World) -> None:
    waiting, later = world.ask(3, "Production"), world.ask(2, "Production")
    world.deliver(waiting)
    world.deliver(later)
    assert (status(world, waiting), status(world, later)) == ("converting", "succeeded")
    convert(world)
    world.deliver(waiting)
    assert status(world, waiting) == "rejected"
    assert "version 2 was moved to Production" in world.transitions.items[waiting["transition_id"]]["error"]
    assert world.tracking.aliases == {"production": 2}
    world.check()


def test_what_is_replaced_is_decided_after_the_conversion(world: World) -> None:
    world.deliver(world.ask(1, "Production"))
    waiting = world.ask(3, "Production")
    world.deliver(waiting)
    assert "replaced_version" not in world.transitions.items[waiting["transition_id"]]
    convert(world)
    world.deliver(waiting)
    assert world.transitions.items[waiting["transition_id"]]["replaced_version"] == 1


def test_two_transitions_wait_for_one_job(world: World) -> None:
    staging, production = world.ask(3, "Staging"), world.ask(3, "Production")
    world.deliver(staging)
    world.deliver(production)
    assert world.conversions.found[3].waiting == {staging["transition_id"], production["transition_id"]}
    convert(world)
    world.deliver(production)
    assert (status(world, staging), status(world, production)) == ("succeeded", "succeeded")
    assert world.tracking.aliases == {"production": 3}
    world.check()


def test_a_rollback_of_a_converted_version_serves_its_file(world: World) -> None:
    first = world.ask(3, "Production")
    world.deliver(first)
    convert(world)
    world.deliver(first)
    world.deliver(world.ask(2, "Production"))
    back = world.ask(3, "Production")
    world.deliver(back)
    record = world.transitions.items[back["transition_id"]]
    assert record["status"] == "succeeded"
    assert not any("artifacts have changed" in gate["detail"] for gate in record["gates"])


@pytest.mark.parametrize("mlmodel", [PYFUNC, None])
def test_what_no_job_can_convert_is_refused_at_once(world: World, mlmodel: str | None) -> None:
    world.serving.mlmodels.pop(3)
    if mlmodel is not None:
        world.serving.mlmodels[3] = mlmodel
    message = world.ask(3, "Production")
    world.deliver(message)
    assert status(world, message) == "rejected"
    assert world.conversions.sources == []


def test_a_step_that_the_lifecycle_forbids_starts_no_job(world: World) -> None:
    world.tracking.aliases["production"] = 3
    message = world.ask(3, "Staging")
    world.deliver(message)
    assert status(world, message) == "rejected"
    assert world.conversions.sources == []


def test_archiving_needs_no_file(world: World) -> None:
    message = world.ask(3, "Archived")
    world.deliver(message)
    assert status(world, message) == "succeeded"
    assert world.conversions.sources == []


def test_another_file_than_the_converted_one_is_refused(world: World) -> None:
    message = world.ask(3, "Production")
    world.deliver(message)
    convert(world)
    identifier = world.conversions.found[3].conversion_id
    world.serving.converted[identifier] = ONNX + b"\0"
    world.deliver(message)
    assert status(world, message) == "rejected"
    assert world.tracking.aliases == {}


def test_it_ends_the_same_wherever_the_process_dies(world: World) -> None:
    """Every change once as the last one, before and after the conversion."""
    for fatal in range(1, 60):
        tried = World()
        tried.serving.logged[3], tried.serving.mlmodels[3] = None, SKLEARN
        message = tried.ask(3, "Production")
        tried.effects.begin(fatal)
        died = _deliver_until_done(tried, message)
        convert(tried)
        died = _deliver_until_done(tried, message) or died
        assert status(tried, message) == "succeeded", fatal
        assert len(tried.conversions.sources) == 1, fatal
        tried.check()
        if not died:
            return
    raise AssertionError("the walk never came to its end")


def _deliver_until_done(world: World, message: dict[str, Any]) -> bool:
    """Deliver as the queue does, with a new process after each death. Return whether one died."""
    for _ in range(3):
        try:
            world.deliver(message, tries=1)
        except Crash:
            continue
        return world.effects.fatal is not None and world.effects.count >= world.effects.fatal
    raise AssertionError("it died more than once")


def test_a_conversion_that_ends_in_this_moment_is_not_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended_first(conversion: Any, transition_id: str) -> bool:
        convert(world)
        return False

    monkeypatch.setattr(world.conversions, "wait", ended_first)
    message = world.ask(3, "Production")
    world.deliver(message)
    assert status(world, message) == "succeeded"
