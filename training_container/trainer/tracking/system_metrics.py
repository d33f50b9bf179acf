"""What MLflow is given of the machine: its own system metrics of CPU, memory, disk and network."""

from typing import TYPE_CHECKING

import psutil

if TYPE_CHECKING:
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

MODULE = "mlflow.system_metrics.system_metrics_monitor"
SECONDS = 5.0
"""Between two samples."""


def watch(run_id: str, uri: str | None, *, resumed: bool) -> "SystemMetricsMonitor":
    """Begin to measure for a run, in a thread; `resumed` if an earlier attempt has measured too."""
    from mlflow.system_metrics.system_metrics_monitor import SystemMetricsMonitor

    psutil.cpu_percent()  # from here on this thread measures, which takes the last sample too
    monitor = SystemMetricsMonitor(  # type: ignore[no-untyped-call]
        run_id, sampling_interval=SECONDS, resume_logging=resumed, tracking_uri=uri
    )
    monitor.start()  # type: ignore[no-untyped-call]
    return monitor


def finish(monitor: "SystemMetricsMonitor") -> None:
    """End it with a sample: of a run that is shorter than the interval there is no other one."""
    monitor.finish()  # type: ignore[no-untyped-call]
    for part in monitor.monitors:
        part.clear_metrics()  # type: ignore[no-untyped-call]
    monitor.collect_metrics()  # type: ignore[no-untyped-call]
    monitor.publish_metrics(monitor.aggregate_metrics())  # type: ignore[no-untyped-call]
    monitor.mlflow_logger.flush()  # type: ignore[no-untyped-call]
