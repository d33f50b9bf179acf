"""The metric gate compares like with like, or refuses and says why; `force` goes past it, and nothing locks it."""

import json
import math
from typing import Any

import onnx
import pytest

from mlops.domain.model_description import ModelInput
from mlops.domain.objective import ACCURACY, RMSE, Direction, Objective, named
from mlops.domain.stages import Stage
from mlops.domain.transition import GateResult, Transition
from promotion.metric_gate import Contender, check_metrics
from tests.support.serving import served
from tests.unit.registry.fakes import MODEL, ONNX, World

NAN, INFINITE = math.nan, math.inf
STORED_INFINITE = 1.7976931348623157e308
"""An infinity as MLflow's database gives it back."""


class Model:
    """What is described of a model."""

    def __init__(
        self, features: int = 4, image: tuple[int, int] | None = None, labels: tuple[int | str, ...] = (0, 1)
    ) -> None:
        self.input, self.labels, self.contract = ModelInput("inputs", features, image), labels, None


def contender(accuracy: float | None, data: str | None = "d", described: Model | None = None) -> Contender:
    metrics = {} if accuracy is None else {"accuracy": accuracy}
    return Contender(metrics, data, described or Model())


def metric(challenger: Contender, champion: Contender | None, margin: float = 0.0) -> GateResult:
    result = check_metrics(challenger, champion, "Production", margin)[-1]
    assert (result.check, result.kind) == ("metric", "metric")
    return result


@pytest.mark.parametrize(("margin", "accuracy", "passes"), [(0.25, 0.5, True), (0.25, 0.49, False), (0.0, 0.74, False)])
def test_accuracy_may_fall_behind_by_the_margin_and_no_more(margin: float, accuracy: float, passes: bool) -> None:
    assert metric(contender(accuracy), contender(0.75), margin).passed is passes


@pytest.mark.parametrize(
    ("challenger", "champion", "reason"),
    [
        (contender(0.99, "other"), contender(0.5), "another data set"),
        (contender(0.99, None), contender(0.5), "another data set"),
        (contender(0.99), contender(0.5, None), "another data set"),
        (contender(0.99, None), contender(0.5, None), "another data set"),
        (contender(None), contender(0.5), "the run has no accuracy"),
        (contender(0.99), contender(None), "the version in Production has no accuracy"),
        (contender(None), contender(None), "the run has no accuracy"),
        (contender(NAN), contender(0.5), "the run's accuracy is nan"),
        (contender(INFINITE), contender(0.5), "the run's accuracy is inf"),
        (contender(STORED_INFINITE), contender(0.5), "the run's accuracy is 1.79"),
        (contender(NAN), contender(NAN), "the run's accuracy is nan"),
        (contender(NAN), None, "the run's accuracy is nan"),
    ],
)
def test_what_cannot_be_compared_is_refused_with_the_reason_and_the_remedy(
    challenger: Contender, champion: Contender | None, reason: str
) -> None:
    result = metric(challenger, champion)
    assert not result.passed
    assert reason in result.detail
    assert result.detail.endswith("to promote it anyway, use force with a reason")


PROFIT = Objective("profit", Direction.MAXIMISE)


def measured_by(objective: Objective | None, task: str = "classification", **metrics: float) -> Contender:
    return Contender(metrics, "d", Model(), objective, task)


@pytest.mark.parametrize(
    ("objective", "new", "old", "passes", "detail"),
    [
        (
            RMSE,
            220.0,
            200.0,
            True,
            "rmse 220, at most 220 needed (the version in Production has 200, and the margin is",
        ),
        (RMSE, 220.1, 200.0, False, "rmse 220.1, at most 220 needed"),
        (RMSE, 1.0, 200.0, True, "rmse 1, at most 220 needed"),
        (named("mae"), 0.012, 0.01, False, "mae 0.012, at most 0.011 needed"),
        (named("log_loss"), 0.55, 0.5, True, "loss 0.55, at most 0.55 needed"),
        (named("r2"), 0.75, 0.8, True, "r2 0.7500, at least 0.7000 needed (the version in Production has 0.8000)"),
        (named("r2"), 0.69, 0.8, False, "r2 0.6900, at least 0.7000 needed"),
        (named("f1"), 0.7, 0.9, False, "macro_f1 0.7000, at least 0.8000 needed"),
        (
            PROFIT,
            46.0,
            50.0,
            True,
            "profit 46, at least 45 needed (the version in Production has 50, and the margin is",
        ),
        (PROFIT, 44.0, 50.0, False, "profit 44, at least 45 needed"),
    ],
)
def test_the_objective_decides_in_its_own_direction(
    objective: Objective, new: float, old: float, passes: bool, detail: str
) -> None:
    result = metric(
        measured_by(objective, **{objective.name: new}), measured_by(objective, **{objective.name: old}), 0.1
    )
    assert result.passed is passes
    assert result.detail.startswith(detail)


@pytest.mark.parametrize(
    ("challenger", "champion", "reason"),
    [
        (
            measured_by(named("f1"), macro_f1=0.9, accuracy=0.9),
            measured_by(ACCURACY, macro_f1=0.1, accuracy=0.1),
            "the objective is to maximise macro_f1, and that of the version in Production is to maximise accuracy",
        ),
        (
            measured_by(PROFIT, "regression", profit=9),
            measured_by(PROFIT, "classification", profit=1),
            "the version does regression, and the one in Production classification",
        ),
        (
            measured_by(PROFIT, profit=9),
            measured_by(Objective("profit", Direction.MINIMISE), profit=1),
            "the objective is to maximise profit, and that of the version in Production is to minimise profit",
        ),
        (measured_by(None, profit=9), measured_by(PROFIT, profit=1), "its tag direction is neither"),
        (measured_by(PROFIT, profit=9), measured_by(None, profit=1), "that of the version in Production is not known"),
        (measured_by(RMSE, accuracy=0.9), measured_by(RMSE, rmse=0.9), "the run has no rmse"),
        (measured_by(RMSE, rmse=NAN), measured_by(RMSE, rmse=0.9), "the run's rmse is nan"),
    ],
)
def test_another_objective_or_task_is_not_comparable(challenger: Contender, champion: Contender, reason: str) -> None:
    result = metric(challenger, champion, 1.0)
    assert not result.passed
    assert reason in result.detail
    assert result.detail.endswith("to promote it anyway, use force with a reason")


def test_the_first_version_is_measured_by_its_own_objective() -> None:
    assert metric(measured_by(RMSE, rmse=3.0), None).passed
    assert metric(measured_by(RMSE, accuracy=0.9), None).detail.endswith("; the run has no rmse")
    assert not metric(measured_by(RMSE, rmse=INFINITE), None).passed
    assert "its tag direction" in metric(measured_by(None), None).detail


def test_the_first_version_needs_none_to_compare_with_and_says_what_it_lacks() -> None:
    assert metric(contender(0.5), None) == GateResult(
        "metric", True, "no other version is in Production to compare with", "metric"
    )
    assert metric(contender(None), None).detail.endswith("; the run has no accuracy")
    assert metric(contender(None), None).passed


@pytest.mark.parametrize("data", ["d", "other", None])
@pytest.mark.parametrize("value", [NAN, INFINITE, -INFINITE, STORED_INFINITE, -STORED_INFINITE])
def test_a_champion_whose_accuracy_is_no_number_keeps_nobody_out(value: float, data: str | None) -> None:
    assert metric(contender(0.1, data), contender(value)).passed


@pytest.mark.parametrize(
    ("new", "old", "reason"),
    [
        (Model(5), Model(4), "5 features, and the version in Production has 4"),
        (Model(4, (2, 2)), Model(4), "images of 2×2, and the version in Production has no size"),
        (Model(labels=("a", "b")), Model(), "the labels 'a', 'b', and the version in Production has 0, 1"),
        (Model(labels=(1, 0)), Model(), "the labels 1, 0"),
        (Model(labels=("0", "1")), Model(), "the labels '0', '1'"),
        (Model(labels=tuple(range(900))), Model(), "(900)"),
    ],
)
def test_another_signature_is_refused(new: Model, old: Model, reason: str) -> None:
    signature, _ = check_metrics(contender(0.9, described=new), contender(0.9, described=old), "Production", 0)
    assert (signature.check, signature.passed, signature.kind) == ("signature", False, "metric")
    assert reason in signature.detail
    assert len(signature.detail) < 700


def test_a_champion_that_cannot_be_read_is_not_comparable() -> None:
    champion = Contender({"accuracy": 0.5}, "d", None)
    signature, _ = check_metrics(contender(0.9), champion, "Production", 0)
    assert not signature.passed
    assert "manifest of Production is missing or cannot be read" in signature.detail


class TestPromotion:
    """The same through promotion's own code."""

    @pytest.fixture
    def world(self) -> World:
        made = World(4)
        for version in made.tracking.tags:
            measured(made, version, 0.9)
        made.deliver(made.ask(1, "Production", force=False))
        return made

    def test_an_equal_version_on_the_same_data_replaces_it(self, world: World) -> None:
        assert moved(world, 2).status == "succeeded"

    @pytest.mark.parametrize(
        ("accuracy", "data", "failed"), [(0.5, "d", "metric"), (0.99, "other", "metric"), (NAN, "d", "metric")]
    )
    def test_what_is_worse_or_not_comparable_is_refused_and_forced_in(
        self, world: World, accuracy: float, data: str, failed: str
    ) -> None:
        measured(world, 2, accuracy, data)
        refused = moved(world, 2)
        assert refused.status == "rejected"
        assert [gate.check for gate in refused.gates if not gate.passed] == [failed]
        assert world.tracking.aliases == {"production": 1}
        forced = moved(world, 2, force=True)
        assert forced.status == "succeeded"
        assert [gate.check for gate in forced.gates if not gate.passed] == [failed]

    @pytest.mark.parametrize(("rmse", "status"), [(3.0, "succeeded"), (3.02, "succeeded"), (3.1, "rejected")])
    def test_the_tags_of_a_version_say_what_it_is_measured_by(self, world: World, rmse: float, status: str) -> None:
        for version, value in ((2, 3.0), (3, rmse)):
            measured(world, version, 0.5)
            world.tracking.metrics[version]["rmse"] = value
            world.tracking.tags[version] |= {**RMSE.tags, "task": "regression"}
        refused = moved(world, 2)
        assert "the version does regression, and the one in Production classification" in str(refused.error)
        assert moved(world, 2, force=True).status == "succeeded"
        assert moved(world, 3).status == status

    def test_other_columns_and_labels_are_refused_and_forced_in(self, world: World) -> None:
        world.serving.logged[2] = served(features=6, image=None, classes=3, self_test=False).onnx
        refused = moved(world, 2)
        assert refused.status == "rejected"
        assert "signature: 6 features, and the version in Production has 4" in str(refused.error)
        assert moved(world, 2, force=True).status == "succeeded"

    def test_other_labels_of_the_same_number_are_refused(self, world: World) -> None:
        model = onnx.load_from_string(ONNX)
        onnx.helper.set_model_props(model, {"mlops": json.dumps({"labels": ["no", "yes"]})})
        world.serving.logged[2] = model.SerializeToString()
        assert "the labels 'no', 'yes'" in str(moved(world, 2).error)

    def test_nan_that_was_forced_into_production_does_not_lock_it(self, world: World) -> None:
        measured(world, 2, NAN)
        assert moved(world, 2, force=True).status == "succeeded"
        assert moved(world, 3).status == "succeeded"

    def test_a_missing_accuracy_in_production_is_said_and_does_not_lock_it(self, world: World) -> None:
        del world.tracking.metrics[2]
        assert moved(world, 2, force=True).status == "succeeded"
        refused = moved(world, 3)
        assert "the version in Production has no accuracy" in str(refused.error)
        assert moved(world, 3, force=True).status == "succeeded"

    def test_metrics_written_to_the_champions_run_afterwards_do_not_count(self, world: World) -> None:
        world.tracking.metrics[1]["accuracy"] = 0.1
        measured(world, 2, 0.5)
        assert "at least 0.8900 needed" in str(moved(world, 2).error)

    def test_whoever_asks_may_stage_what_he_likes(self, world: World) -> None:
        moved(world, 2, stage="Staging")
        measured(world, 3, 0.1, "other")
        assert moved(world, 3, stage="Staging").status == "succeeded"

    def test_a_retrain_does_not_push_a_better_candidate_out_of_staging(self, world: World) -> None:
        moved(world, 2, stage="Staging")
        measured(world, 3, 0.5)
        refused = moved(world, 3, stage="Staging", competes=True)
        assert refused.status == "rejected"
        assert "accuracy 0.5000, at least 0.8900 needed (the version in Staging has 0.9000)" in str(refused.error)
        assert world.tracking.aliases["staging"] == 2

    @pytest.mark.parametrize(("accuracy", "data", "status"), [(0.95, "d", "succeeded"), (0.95, "other", "rejected")])
    def test_a_retrain_replaces_a_candidate_that_is_not_better(
        self, world: World, accuracy: float, data: str, status: str
    ) -> None:
        moved(world, 2, stage="Staging")
        measured(world, 3, accuracy, data)
        assert moved(world, 3, stage="Staging", competes=True).status == status

    def test_a_retrain_goes_to_staging_where_nothing_is(self, world: World) -> None:
        measured(world, 3, 0.5)
        assert moved(world, 3, stage="Staging", competes=True).status == "succeeded"


def measured(world: World, version: int, accuracy: float, data: str = "d") -> None:
    world.tracking.metrics[version] = {"accuracy": accuracy}
    world.tracking.tags[version]["dataset_digest"] = data


def moved(world: World, version: int, stage: str = "Production", **more: Any) -> Transition:
    message = world.ask(version, stage, **{"force": False, **more})
    world.deliver(message)
    world.check()
    return world.transitions.get(MODEL, message["transition_id"])


def test_stages_are_named_as_the_lifecycle_names_them() -> None:
    assert "in Staging" in check_metrics(contender(0.5), None, Stage.STAGING, 0)[0].detail
