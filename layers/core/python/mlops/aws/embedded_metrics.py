"""CloudWatch metrics in a log line (the embedded metric format), without an API call."""

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

NAMESPACE_VARIABLE = "POWERTOOLS_METRICS_NAMESPACE"


def embedded(
    metrics: Mapping[str, tuple[float, str]], dimensions: Sequence[Sequence[str]] = ((),), **labels: str
) -> dict[str, Any]:
    """Return the fields of a JSON log line that CloudWatch reads as metrics.

    Args:
        metrics: Value and CloudWatch unit by name.
        dimensions: Sets of names of `labels`. Each metric exists once per set. With the empty set an alarm needs no
        names of models.
        labels: Further fields of the line.
    """
    directive = {
        "Namespace": os.environ.get(NAMESPACE_VARIABLE, "mlops"),
        "Dimensions": [list(names) for names in dimensions],
        "Metrics": [{"Name": name, "Unit": unit} for name, (_, unit) in metrics.items()],
    }
    values = {name: value for name, (value, _) in metrics.items()}
    return {**labels, **values, "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [directive]}}
