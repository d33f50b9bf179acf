"""Decide the kind of a metric by its name. The API publishes it.

The platform's trainer logs a summary, figures of the model's file, checks of the job, and figures of each epoch and
class. All other metrics are a run's own: users have logged them themselves, and look for them first.
"""

import re
from collections import Counter
from collections.abc import Collection, Iterable
from typing import Literal

MetricKind = Literal["summary", "model", "check", "epoch", "class", "own"]

_KINDS: dict[str, MetricKind] = {
    **dict.fromkeys(
        ("accuracy", "loss", "macro_f1", "macro_precision", "macro_recall", "calibration_error"), "summary"
    ),
    **dict.fromkeys(("roc_auc", "average_precision"), "summary"),
    **dict.fromkeys(("rmse", "mae", "r2", "error_p50", "error_p90", "error_p99"), "summary"),
    **dict.fromkeys(("model_size_bytes", "prediction_latency_ms"), "model"),
    **dict.fromkeys(("onnx_difference", "peak_memory_mb"), "check"),
    **dict.fromkeys(("train_loss", "val_loss", "val_accuracy", "val_rmse", "learning_rate", "epoch_seconds"), "epoch"),
}
_BASELINE = "baseline_"
_PER_CLASS = re.compile(r"class/[0-9]+/(precision|recall)")
_FORMER_PER_CLASS = ("precision_", "recall_")
"""Their names in runs of earlier versions."""


def metric_kinds(names: Collection[str]) -> dict[str, MetricKind]:
    """Return the kind of each metric. `names` are all metrics of a run."""
    return {name: _kind(name, names) for name in names}


def own_metrics(runs: Iterable[Collection[str]]) -> list[str]:
    """Return the metrics that users have logged themselves; those of the most runs come first."""
    counts = Counter(name for names in runs for name, kind in metric_kinds(names).items() if kind == "own")
    return sorted(counts, key=lambda name: (-counts[name], name))


def _kind(name: str, names: Collection[str]) -> MetricKind:
    if name.startswith(_BASELINE) and _KINDS.get(name.removeprefix(_BASELINE)) == "summary":
        return "summary"
    return _KINDS.get(name) or ("class" if _is_per_class(name, names) else "own")


def _is_per_class(name: str, names: Collection[str]) -> bool:
    """Return whether it is the precision or recall of one class: the trainer logs both, by the class's position."""
    if _PER_CLASS.fullmatch(name):
        return True
    for prefix in _FORMER_PER_CLASS:
        if name.startswith(prefix):
            position = name.removeprefix(prefix)
            return position.isdecimal() and all(other + position in names for other in _FORMER_PER_CLASS)
    return False
