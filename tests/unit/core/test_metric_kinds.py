"""Which metrics are a run's own, and which the platform's trainer logs."""

import pytest

from mlops.domain.metric_kinds import metric_kinds, own_metrics


def test_what_the_trainer_logs_is_not_a_runs_own():
    names = {"accuracy", "loss", "model_size_bytes", "peak_memory_mb", "val_loss", "precision_0", "recall_0"}
    assert metric_kinds(names) == {
        "accuracy": "summary",
        "loss": "summary",
        "model_size_bytes": "model",
        "peak_memory_mb": "check",
        "val_loss": "epoch",
        "precision_0": "class",
        "recall_0": "class",
    }


@pytest.mark.parametrize(
    "name", ["my metric", "baseline_profit", "baseline_", "precision_at_5", "precision_", "val/mae", "Accuracy"]
)
def test_every_other_metric_is(name):
    assert metric_kinds({name, "accuracy"})[name] == "own"


def test_the_figures_of_a_class_come_in_pairs():
    assert metric_kinds({"class/3/precision"}) == {"class/3/precision": "class"}
    assert set(metric_kinds({"class/a/precision", "class/1/mine", "my/class/1/recall"}).values()) == {"own"}
    assert metric_kinds({"precision_5"}) == {"precision_5": "own"}
    assert set(metric_kinds({"precision_5", "recall_5"}).values()) == {"class"}


def test_what_most_runs_have_comes_first():
    assert own_metrics([{"profit", "a"}, {"profit", "loss"}, {"b"}]) == ["profit", "a", "b"]


@pytest.mark.parametrize("name", ["rmse", "mae", "r2", "error_p99", "roc_auc", "average_precision", "baseline_rmse"])
def test_the_summary_of_every_task_is_known(name):
    assert metric_kinds({name}) == {name: "summary"}
