"""Write a reading as Prometheus metrics. docs/monitoring.md lists them, and a test compares the two."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import TypeVar

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from metrics.sources import QueueDepth, Reading, longest_wait, seconds
from mlops import __version__
from mlops.aws.stats_table import REFUSED, SKIPPED, TRANSITIONS, Series
from mlops.domain.drift.counts import (
    BINS,
    LATENCY_EDGES_MS,
    MILLION,
    class_counts,
    histogram,
    latency_histogram,
)
from mlops.domain.drift.record import DriftRecord
from mlops.domain.drift.verdict import Verdict
from mlops.domain.feedback.outcome import REFUSED as REFUSED_LABELS
from mlops.domain.feedback.record import PerformanceRecord
from mlops.domain.feedback.verdict import Performance
from mlops.domain.job import JobStatus
from mlops.domain.rollout.rollout import Rollout
from mlops.domain.stages import Stage

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
VERSION = ["model", "version", "stage"]
QUANTILES = (0.5, 0.95, 1.0)


def render(reading: Reading) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Families(reading))
    return generate_latest(registry)


class _Families(Collector):
    def __init__(self, reading: Reading) -> None:
        self._reading = reading

    def collect(self) -> Iterator[Metric]:
        reading = self._reading
        info = GaugeMetricFamily("mlops_build_info", "The platform's version.", labels=["version"])
        info.add_metric([__version__], 1)
        yield info
        yield from _predictions(reading.totals)
        yield from _serving(reading)
        yield from _drift(reading)
        yield from _labels(reading)
        yield from _rollouts(reading.rollouts)
        yield from _jobs(reading)
        yield from _transitions(reading)
        yield from _queues(reading.queues)


def _predictions(totals: Mapping[Series, Mapping[str, int]]) -> Iterator[Metric]:
    predictions = CounterMetricFamily("mlops_predictions", "Predictions by class.", labels=[*VERSION, "class"])
    requests = CounterMetricFamily("mlops_prediction_requests", "Requests that were answered.", labels=VERSION)
    hits = CounterMetricFamily("mlops_prediction_cache_hits", "Requests answered from the cache.", labels=VERSION)
    confidence = HistogramMetricFamily(
        "mlops_prediction_confidence", "Probability of the predicted class.", labels=VERSION
    )
    latency = HistogramMetricFamily(
        "mlops_prediction_latency_seconds", "Time that the function predict spent on a request.", labels=VERSION
    )
    for series, counts in totals.items():
        if series.version == 0:
            continue
        labels = [series.model_name, str(series.version), series.stage]
        for label, count in class_counts(counts).items():
            predictions.add_metric([*labels, label], count)
        requests.add_metric(labels, counts.get("r", 0))
        hits.add_metric(labels, counts.get("h", 0))
        tenths = [f"{(index + 1) / BINS:.1f}" for index in range(BINS)]
        confidence.add_metric(labels, _buckets(tenths, histogram(counts, "c")), counts.get("cs", 0) / MILLION)
        edges = [f"{edge / 1000:g}" for edge in LATENCY_EDGES_MS]
        latency.add_metric(labels, _buckets(edges, latency_histogram(counts)), counts.get("ls", 0) / MILLION)
    refused = CounterMetricFamily(
        "mlops_prediction_refused", "Requests that got no prediction.", labels=["status", "code"]
    )
    for name, count in totals.get(REFUSED, {}).items():
        refused.add_metric(name.split("/", 1), count)
    skipped = CounterMetricFamily(
        "mlops_prediction_lines_skipped", "Log lines that could not be counted.", labels=["reason"]
    )
    for name, count in totals.get(SKIPPED, {}).items():
        skipped.add_metric([name], count)
    yield from (predictions, requests, hits, confidence, latency, refused, skipped)


def _buckets(edges: list[str], bins: Iterable[int]) -> list[tuple[str, float]]:
    """Return cumulative buckets, as Prometheus has them; the last one is +Inf."""
    total, buckets = 0, []
    for index, count in enumerate(bins):
        total += count
        if index < len(edges):
            buckets.append((edges[index], float(total)))
    return [*buckets, ("+Inf", float(total))]


def _serving(reading: Reading) -> Iterator[Metric]:
    info = GaugeMetricFamily("mlops_model_info", "1 for each version that serves a stage of its model.", labels=VERSION)
    production = GaugeMetricFamily(
        "mlops_production_model", "1 if a version of the model is in Production, otherwise 0.", labels=["model"]
    )
    unreadable = GaugeMetricFamily(
        "mlops_manifest_unreadable",
        "1 if the manifest of a stage cannot be read, otherwise 0.",
        labels=["model", "stage"],
    )
    lapsed = GaugeMetricFamily(
        "mlops_admission_lapsed",
        "1 if the gate would no longer admit the version that serves a stage, else 0.",
        labels=["model", "stage"],
    )
    for name, stages in reading.serving.items():
        for stage, version in stages.items():
            info.add_metric([name, str(version), stage], 1)
            lapsed.add_metric([name, stage], (name, stage) in reading.refused)
            unreadable.add_metric([name, stage], 0)
        production.add_metric([name], Stage.PRODUCTION in stages or (name, Stage.PRODUCTION) in reading.unreadable)
    for name, stage in reading.unreadable:
        unreadable.add_metric([name, stage], 1)
    yield from (info, production, unreadable, lapsed)


def _drift(reading: Reading) -> Iterator[Metric]:
    labels = ["model", "version"]
    psi = GaugeMetricFamily(
        "mlops_drift_psi",
        "Population stability index of a signal at the last check.",
        labels=[*labels, "signal", "against"],
    )
    status = GaugeMetricFamily(
        "mlops_drift_status", "1 for the verdict of the last check, 0 for the others.", labels=[*labels, "status"]
    )
    samples = GaugeMetricFamily(
        "mlops_drift_samples", "Predictions in the current window of the last check.", labels=labels
    )
    age = GaugeMetricFamily(
        "mlops_drift_check_age_seconds", "Time since the last drift check of the model.", labels=labels
    )
    for record in _current(reading.drift, reading):
        values = [record.model_name, str(record.model_version)]
        for signal in record.signals:
            psi.add_metric([*values, signal.signal, signal.against], signal.psi)
        for verdict in Verdict:
            status.add_metric([*values, verdict.value], record.status is verdict)
        samples.add_metric(values, record.samples)
        age.add_metric(values, max(0.0, reading.at - seconds(record.checked_at)))
    yield from (psi, status, samples, age)
    yield from _columns(reading)


def _columns(reading: Reading) -> Iterator[Metric]:
    """Yield the metrics of columns. A record has those that moved most, so the number of series has a limit."""
    labels = ["model", "version", "column"]
    psi = GaugeMetricFamily(
        "mlops_column_psi", "Population stability index of a column, less what chance gives.", labels=labels
    )
    missing = GaugeMetricFamily("mlops_column_missing_ratio", "Share of rows without a value.", labels=labels)
    unseen = GaugeMetricFamily(
        "mlops_column_unseen_ratio", "Share of rows with a category that training did not see.", labels=labels
    )
    beyond = GaugeMetricFamily(
        "mlops_column_out_of_range_ratio", "Share of rows with a number beyond the training range.", labels=labels
    )
    alert = GaugeMetricFamily(
        "mlops_column_alert", "1 if the column gave an alert at the last check, otherwise 0.", labels=labels
    )
    for record in _current(reading.drift, reading):
        for column in record.columns:
            values = [record.model_name, str(record.model_version), column.name]
            psi.add_metric(values, column.psi)
            missing.add_metric(values, column.missing)
            unseen.add_metric(values, column.unseen)
            beyond.add_metric(values, column.out_of_range)
            alert.add_metric(values, column.status is Verdict.ALERT)
    yield from (psi, missing, unseen, beyond, alert)


Checked = TypeVar("Checked", DriftRecord, PerformanceRecord)


def _current(records: Iterable[Checked], reading: Reading) -> Iterator[Checked]:
    """Yield the last checks of what serves: a version that left Production is not checked any more."""
    for record in records:
        if reading.serving.get(record.model_name, {}).get(Stage.PRODUCTION) == record.model_version:
            yield record


def _labels(reading: Reading) -> Iterator[Metric]:
    names = ["model", "version"]
    feedback = CounterMetricFamily("mlops_feedback", "Labels of predictions.", labels=[*names, "outcome"])
    for (name, version), totals in reading.labels.items():
        feedback.add_metric([name, str(version), "counted"], totals.get("n", 0))
        feedback.add_metric([name, str(version), "refused"], totals.get(REFUSED_LABELS, 0))
    accuracy = GaugeMetricFamily("mlops_live_accuracy", "Share of labels that the model got right.", labels=names)
    error = GaugeMetricFamily("mlops_live_mean_error", "Mean size of the errors, by the labels.", labels=names)
    estimated = GaugeMetricFamily(
        "mlops_estimated_accuracy",
        "Accuracy that the confidences let expect; an estimate without labels.",
        labels=names,
    )
    degraded = GaugeMetricFamily(
        "mlops_performance_degraded", "1 if a version does worse than in training, otherwise 0.", labels=names
    )
    for record in _current(reading.performance, reading):
        values = [record.model_name, str(record.model_version)]
        if record.value is not None:
            (accuracy if record.metric == "accuracy" else error).add_metric(values, record.value)
        if record.estimated is not None:
            estimated.add_metric(values, record.estimated)
        degraded.add_metric(values, record.status is Performance.DEGRADED)
    yield from (feedback, accuracy, error, estimated, degraded)


def _rollouts(rollouts: Iterable[Rollout]) -> Iterator[Metric]:
    weight = GaugeMetricFamily(
        "mlops_rollout_weight",
        "Percent of the routing keys that a rollout's version answers; 0 in the shadow.",
        labels=["model", "version"],
    )
    for rollout in rollouts:
        weight.add_metric([rollout.model_name, str(rollout.version)], rollout.weight)
    yield weight


def _jobs(reading: Reading) -> Iterator[Metric]:
    states = Counter(job.status for job in reading.jobs)
    jobs = GaugeMetricFamily("mlops_jobs", "Training jobs of the last 24 hours, and all active ones.", labels=["state"])
    for state in JobStatus:
        jobs.add_metric([state], states[state])
    waiting = [job.created_at for job in reading.jobs if job.status is JobStatus.PENDING]
    longest = GaugeMetricFamily(
        "mlops_job_oldest_pending_seconds", "Time that the oldest pending training job has waited."
    )
    longest.add_metric([], longest_wait(waiting, reading.at))
    took = sorted(
        seconds(job.completed_at) - seconds(job.started_at)
        for job in reading.jobs
        if job.status is JobStatus.COMPLETED and job.started_at and job.completed_at
    )
    duration = GaugeMetricFamily(
        "mlops_training_duration_seconds",
        "Duration of the training jobs completed in the last 24 hours.",
        labels=["quantile"],
    )
    for quantile in QUANTILES if took else ():
        duration.add_metric([f"{quantile:g}"], took[min(len(took) - 1, int(quantile * len(took)))])
    yield from (jobs, longest, duration)


def _transitions(reading: Reading) -> Iterator[Metric]:
    ended = CounterMetricFamily(
        "mlops_transitions", "Transitions that have ended.", labels=["model", "stage", "outcome"]
    )
    for name, count in reading.totals.get(TRANSITIONS, {}).items():
        ended.add_metric(name.split("/"), count)
    queued = GaugeMetricFamily(
        "mlops_transitions_queued", "Transitions that are queued, or have ended and are not announced yet."
    )
    queued.add_metric([], len(reading.open_transitions))
    longest = GaugeMetricFamily(
        "mlops_transition_oldest_queued_seconds", "Time since the oldest of these transitions was requested."
    )
    longest.add_metric([], longest_wait((transition.since for transition in reading.open_transitions), reading.at))
    yield from (ended, queued, longest)


def _queues(queues: Mapping[str, QueueDepth]) -> Iterator[Metric]:
    messages = GaugeMetricFamily("mlops_queue_messages", "Messages in a queue.", labels=["queue", "state"])
    dead = GaugeMetricFamily("mlops_dead_letters", "Messages that could not be processed.", labels=["queue"])
    for name, depth in queues.items():
        if name.endswith("_dead_letters"):
            dead.add_metric([name.removesuffix("_dead_letters")], depth.visible + depth.in_flight)
            continue
        messages.add_metric([name, "visible"], depth.visible)
        messages.add_metric([name, "in_flight"], depth.in_flight)
    yield from (messages, dead)
