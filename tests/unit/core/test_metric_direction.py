"""Which way a metric is to go: the wrong way round would mark the worst run as the best."""

import pytest

from experiments.comparison import compare
from mlops.api.schemas.experiments import RunRow
from mlops.domain.metric_direction import direction

LOWER = (
    "loss val_loss train_loss log_loss logloss nll negative_log_likelihood cross_entropy crossEntropy brier "
    "brier_score perplexity hinge error test-error error_rate calibration_error mse rmse rmsle msle mae mape smape "
    "val/mae mean_squared_error mean_absolute_percentage_error onnx_difference kl_divergence fpr fnr "
    "false_positive_rate prediction_latency_ms p99_ms latency duration time train_time_s seconds fit_seconds "
    "model_size model_size_bytes peak_memory_mb wer valLoss metrics.loss"
)
HIGHER = (
    "accuracy val_accuracy top_5_accuracy balanced_accuracy acc macro_f1 f1 f1_score precision_3 recall_3 "
    "macro_precision macro_recall roc_auc val/auc average_precision r2 r2_score r_squared explained_variance mcc kappa "
    "class/3/precision "
    "iou bleu true_positive_rate tpr score test_score throughput throughput_per_second valAccuracy log_likelihood"
)
UNKNOWN = (
    "baseline_accuracy baseline_rmse "
    "epoch learning_rate rows n_features grad_norm temperature samples_per_second requests_per_ms accuracy_error "
    "auc_loss beta gamma x lossy"
)


@pytest.mark.parametrize("name", LOWER.split())
def test_lower_is_better(name):
    assert direction(name) == "lower"


@pytest.mark.parametrize("name", HIGHER.split())
def test_higher_is_better(name):
    assert direction(name) == "higher"


@pytest.mark.parametrize("name", UNKNOWN.split())
def test_where_the_name_does_not_say_nobody_does(name):
    assert direction(name) is None


def run(run_id, objective=None, **metrics):
    return RunRow(
        run_id=run_id,
        run_name=None,
        metrics=metrics,
        objective=objective,
        params={},
        status="finished",
        started_at=None,
        ended_at=None,
    )


@pytest.mark.parametrize(
    ("said", "best"), [(["maximise"] * 2, "two"), (["minimise"] * 2, "one"), (["maximise", "minimise"], None)]
)
def test_the_runs_say_which_way_their_objective_goes(said, best):
    runs = [
        run(name, {"name": "auc_loss", "direction": each}, auc_loss=value, loss=value)
        for name, each, value in zip(("one", "two"), said, (1.0, 2.0), strict=True)
    ]
    found = {each.name: each.best for each in compare("1", "e", runs).metrics}
    assert found == {"auc_loss": best, "loss": "one"}


def test_the_best_run_is_marked_by_the_metrics_own_direction_and_none_where_that_is_unknown():
    small = run("small", accuracy=0.9, model_size_bytes=10.0, brier=0.2, grad_norm=1.0, mape=float("nan"))
    large = run("large", accuracy=0.95, model_size_bytes=99.0, brier=0.1, grad_norm=2.0)
    found = {each.name: (each.better, each.best) for each in compare("1", "e", [small, large]).metrics}
    assert found == {
        "accuracy": ("higher", "large"),
        "brier": ("lower", "large"),
        "grad_norm": (None, None),
        "mape": ("lower", None),
        "model_size_bytes": ("lower", "small"),
    }
