"""A schedule's event becomes one retrain per model; each succeeds or fails by itself, and once per hour."""

import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from mlops.api import idempotency
from mlops.api.schemas.sweeps import SweepRequest
from mlops.aws.eventbridge import Events
from mlops.aws.jobs_table import JobsTable
from mlops.domain.errors import Conflict, NotFound
from mlops.domain.job import Job
from mlops.domain.model_types import ModelType
from mlops.registry.rest import RegisteredModel, Version
from tests.support.model_types import PUBLISHED
from tests.support.tables import make_table
from training import retraining, schedule
from training.app import handler

CONTEXT = SimpleNamespace(
    function_name="training",
    memory_limit_in_mb=512,
    invoked_function_arn="arn:aws:lambda:us-east-1:123456789012:function:training",
    aws_request_id="r",
    get_remaining_time_in_millis=lambda: 15000,
)


class Registry:
    """MLflow, with versions by model: (number, tags), and the version in Production."""

    def __init__(self) -> None:
        self._versions: dict[str, dict[int, dict[str, str]]] = {}
        self._aliases: dict[str, dict[str, int]] = {}

    def add(self, name: str, *tags: dict[str, str], **aliases: int) -> None:
        self._versions[name] = dict(enumerate(tags, 1))
        self._aliases[name] = aliases

    def models(self) -> Iterator[RegisteredModel]:
        return iter([self.model(name) for name in self._aliases])

    def model(self, name: str) -> RegisteredModel:
        if name not in self._aliases:
            raise NotFound("no such model")
        return RegisteredModel(name, self._aliases[name])

    def versions(self) -> Iterator[Version]:
        return iter([self.version(name, number) for name, versions in self._versions.items() for number in versions])

    def version(self, name: str, version: int) -> Version:
        return Version(name, version, "", "", self._versions[name][version])


class Platform:
    """The function, and what it asked for: events on the bus, and sweeps."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self.entries: list[dict[str, Any]] = []
        self.sweeps: list[SweepRequest] = []
        self.failing: set[str] = set()

    def tick(self, **detail: Any) -> Any:
        return handler({"detail": detail}, CONTEXT)

    def deliver(self, entry: dict[str, Any]) -> Any:
        """Hand the function an event of the bus, as its rule does."""
        event = {"source": entry["Source"], "detail-type": entry["DetailType"], "detail": json.loads(entry["Detail"])}
        return handler(event, CONTEXT)

    def put_events(self, Entries: list[dict[str, Any]]) -> dict[str, Any]:
        self.entries += Entries
        return {"FailedEntryCount": 0}

    def sweep(self, sweep: SweepRequest, actor: str, request_id: str) -> Any:
        if sweep.model_name in self.failing:
            raise Conflict("200 jobs are under way")
        self.sweeps.append(sweep)
        return SimpleNamespace(model_dump=lambda **_: {"sweep_id": f"sweep_{len(self.sweeps):06d}"})

    def model_type(self, name: str) -> ModelType:
        found = PUBLISHED.find(name)
        assert found is not None
        return found

    @property
    def retrained(self) -> list[str]:
        return [sweep.model_name for sweep in self.sweeps]

    @property
    def requested(self) -> list[dict[str, Any]]:
        assert all((each["Source"], each["DetailType"]) == ("mlops", "Retrain Requested") for each in self.entries)
        return [json.loads(each["Detail"]) for each in self.entries]


@pytest.fixture
def platform(jobs: JobsTable, monkeypatch: pytest.MonkeyPatch) -> Platform:
    """Models a and b were trained here and are in Production; others lack one or the other."""
    made = Platform(Registry())
    jobs.create(Job("job_000001", request={"model_type": "mlp", "dataset": "digits"}))
    here = {"job_id": "job_000001"}
    made.registry.add("a", {}, here, production=2)
    made.registry.add("b", here, production=1, staging=1)
    made.registry.add("brought", {}, here, production=1)
    made.registry.add("only-staging", here, staging=1)
    made.registry.add("no name to serve", here, production=1)
    events = Events("default")
    monkeypatch.setattr(events, "_events", made)
    scheduled = schedule.ScheduledRetrains(made.registry, events)  # type: ignore[arg-type]
    monkeypatch.setattr(schedule, "_scheduled_retrains", lambda: scheduled)
    monkeypatch.setattr(retraining, "_production", lambda: retraining._Production(made.registry, jobs))  # type: ignore[arg-type]
    monkeypatch.setattr(retraining.Submissions, "from_environment", lambda: made)
    make_table("IdempotencyTable", "idempotency")
    monkeypatch.setenv("IDEMPOTENCY_TABLE", "idempotency")
    monkeypatch.setattr(idempotency, "_store", idempotency._store.__wrapped__)
    return made


def test_all_models_are_those_in_production_that_were_trained_here(platform: Platform) -> None:
    assert platform.tick(models="*", reason="the nightly schedule") == {"requested": ["a", "b"]}
    assert [each["model_name"] for each in platform.requested] == ["a", "b"]
    assert {each["reason"] for each in platform.requested} == {"the nightly schedule"}
    assert platform.sweeps == [], "each model is retrained by its own event"


def test_each_event_starts_one_retrain_however_often_the_schedule_and_the_events_come(platform: Platform) -> None:
    for _ in range(2):
        platform.tick(models="*", num_runs=3, stage="Production")
    assert len(platform.entries) == 4
    for entry in platform.entries + platform.entries:
        platform.deliver(entry)
    assert sorted(platform.retrained) == ["a", "b"]
    assert {(sweep.num_runs, sweep.stage) for sweep in platform.sweeps} == {(3, "Production")}


def test_a_model_that_fails_keeps_no_other_from_being_retrained(platform: Platform) -> None:
    platform.failing = {"a"}
    platform.tick(models="*")
    first, second = platform.entries
    with pytest.raises(Conflict):
        platform.deliver(first)
    platform.deliver(second)
    assert platform.retrained == ["b"]
    platform.failing.clear()
    platform.deliver(first)  # Lambda's next try
    assert platform.retrained == ["b", "a"]


def test_named_models_are_asked_for_once_each_and_refused_one_by_one(platform: Platform) -> None:
    assert platform.tick(models="b, brought,b,-bad,nobody") == {"requested": ["b", "brought", "nobody"]}
    answers = {json.loads(entry["Detail"])["model_name"]: platform.deliver(entry) for entry in platform.entries}
    assert platform.retrained == ["b"]
    assert "was not trained by a job of the platform" in answers["brought"]["refused"]
    assert "is not known any more" in answers["nobody"]["refused"]


def test_the_longest_name_of_a_model_fits_into_the_request(platform: Platform) -> None:
    name = "m" * 100
    platform.registry.add(name, {"job_id": "job_000001"}, production=1)
    platform.tick(models=name)
    platform.deliver(platform.entries[0])
    assert platform.retrained == [name]


def test_an_event_that_names_one_model_retrains_it_at_once(platform: Platform) -> None:
    assert platform.tick(model_name="a", num_runs=1, reason="the nightly schedule") == {"sweep_id": "sweep_000001"}
    assert platform.retrained == ["a"]
    assert platform.entries == []


def test_requests_without_an_id_count_once_per_hour_whatever_else_they_say(platform: Platform) -> None:
    platform.tick(models="a", reason="the nightly schedule")
    first = platform.deliver(platform.entries[0])
    assert platform.tick(model_name="a", num_runs=5, reason="by hand") == first
    assert platform.retrained == ["a"]


@pytest.mark.parametrize("detail", [{"models": ""}, {"models": ["a"]}, {"models": "a", "num_runs": 0}])
def test_a_schedule_of_another_form_fails_and_requests_nothing(platform: Platform, detail: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        platform.tick(**detail)
    assert platform.entries == []
