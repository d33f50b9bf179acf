"""What is saved while the local AWS runs, and what a crash leaves of a deployment."""

import pytest

pytest.importorskip("ministack")

from ministack.core.responses import request_scope
from ministack.services import cloudformation

from infra.local.aws import persistence
from infra.local.aws.persistence import Saver, finish_interrupted_stacks


@pytest.fixture
def written(monkeypatch):
    names = []
    monkeypatch.setattr(persistence.ministack, "save_state", lambda name, state: names.append(name))
    return names


def test_only_what_changed_is_written(written):
    saver = Saver()
    state = {"table": {"item": 1}}
    services = {"dynamodb": lambda: state, "sqs": lambda: {"queue": []}}
    saver.save(services)
    saver.save(services)
    state["table"]["item"] = 2
    saver.save(services)
    assert written == ["dynamodb", "sqs", "dynamodb"]


def test_what_changes_while_it_is_read_waits_for_the_next_round(written):
    def changing():
        raise RuntimeError("dictionary changed size during iteration")

    saver = Saver()
    saver.save({"dynamodb": changing, "sqs": dict})
    assert written == ["sqs"]
    saver.save({"dynamodb": dict})
    assert written == ["sqs", "dynamodb"]


def test_one_service_that_cannot_be_read_keeps_no_other(written):
    def broken():
        raise KeyError("x")

    Saver().save({"iot": broken, "gone": lambda: None, "sqs": dict})
    assert written == ["sqs"]


def test_a_called_service_is_saved_with_all_its_modules(written, monkeypatch):
    monkeypatch.setattr(persistence, "_PAUSE_SECONDS", 0.01)
    # The rest of the state is not due in this test.
    monkeypatch.setattr(persistence.time, "monotonic", lambda: -1.0)
    services = dict.fromkeys(("apigateway", "apigateway_v1", "dynamodb", "sqs"), dict)
    monkeypatch.setattr(persistence.app, "_build_persistence_save_dict", lambda: services)
    saver = Saver()
    saver.start()
    saver.touched("apigateway")
    while len(written) < 2:
        assert saver._thread.is_alive()
    saver.stop()
    assert set(written) == {"apigateway", "apigateway_v1"}


@pytest.mark.parametrize(
    ("found", "left"),
    [
        ("CREATE_IN_PROGRESS", "CREATE_FAILED"),
        ("UPDATE_IN_PROGRESS", "UPDATE_ROLLBACK_COMPLETE"),
        ("CREATE_COMPLETE", "CREATE_COMPLETE"),
    ],
)
def test_an_operation_a_crash_cut_short_is_over(found, left):
    with request_scope("000000000000", "us-east-1"):
        cloudformation._stacks["cut-short"] = {"StackStatus": found}
        try:
            finish_interrupted_stacks()
            assert cloudformation._stacks["cut-short"]["StackStatus"] == left
        finally:
            del cloudformation._stacks["cut-short"]
