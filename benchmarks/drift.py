"""Drift detection on MNIST: false alarms, detection, and the cost of a query.

The trainer trains a model. One half of the held-out digits is its reference, and windows are drawn from the other half.
They go the way of production's predictions: signals as predict measures them, the counts of a log line, sums of counts,
the verdict.

    MNIST_DIR=… python -m benchmarks.drift [--trials 1000]
"""

import argparse
import time
import uuid
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from benchmarks import machine
from mlops.domain.drift.counts import Summary, counts_of, summary_of, summary_of_reference
from mlops.domain.drift.divergence import Moments, histogram_divergence
from mlops.domain.drift.verdict import DriftThresholds, Verdict, detect
from predict.signals import Signals

CLEAN_SIZES = (200, 300, 500, 1000)
DRIFT_SIZES = (200, 300, 500)
BASELINE = 1000
TWO_CLASSES = (3, 8)
THRESHOLDS = DriftThresholds()
NOTHING = summary_of({})

Predictor = Callable[[np.ndarray], np.ndarray]
"""float32 `[n, pixels]` → class probabilities float32 `[n, classes]`."""


@dataclass(frozen=True, eq=False)
class Pool:
    """Predictions to draw windows from: one row per image."""

    classes: np.ndarray
    confidences: np.ndarray
    signals: dict[str, np.ndarray]

    @classmethod
    def of(cls, inputs: np.ndarray, predict: Predictor, image: tuple[int, int]) -> "Pool":
        probabilities = predict(inputs)
        return cls(probabilities.argmax(axis=1), probabilities.max(axis=1), Signals(image)(inputs))

    def __len__(self) -> int:
        return len(self.classes)

    def window(self, rows: np.ndarray) -> Summary:
        """Return the sample that the log line of these rows makes."""
        line = {
            "n": len(rows),
            "predictions": self.classes[rows].tolist(),
            "confidences": self.confidences[rows].tolist(),
            "latency_ms": 1.0,
            "signals_permille": {name: values[rows].tolist() for name, values in self.signals.items()},
        }
        return summary_of(counts_of(line))


@dataclass(frozen=True, eq=False)
class Simulation:
    """A model's reference, clean predictions, and predictions of the same images drifted."""

    reference: Summary
    clean: Pool
    drifted: dict[str, Pool]


def simulation(
    inputs: np.ndarray, targets: np.ndarray, predict: Predictor, image: tuple[int, int], seed: int = 0
) -> Simulation:
    """Split held-out rows into a half for the reference and a half for the windows, and let the latter drift."""
    from mlops_conversion.reference import reference

    random = np.random.default_rng(seed)
    order = random.permutation(len(inputs))
    first, second = order[: len(order) // 2], order[len(order) // 2 :]
    seen = reference(inputs[first], predict(inputs[first]), image)
    rows, labels = inputs[second], targets[second]
    few = np.isin(labels, TWO_CLASSES)
    drifted = {
        "rotated by 30 degrees": rotated(rows, image, 30),
        "inverted": 1 - rows,
        "noise, sigma 0.3": np.clip(rows + random.normal(0, 0.3, rows.shape), 0, 1).astype(np.float32),
        "two classes only": rows[few],
    }
    return Simulation(
        summary_of_reference(seen, range(int(targets.max()) + 1)),
        Pool.of(rows, predict, image),
        {name: Pool.of(np.ascontiguousarray(inputs, np.float32), predict, image) for name, inputs in drifted.items()},
    )


def rotated(inputs: np.ndarray, image: tuple[int, int], degrees: float) -> np.ndarray:
    """Return the images rotated about their centre, bilinear."""
    from scipy.ndimage import rotate

    turned = rotate(inputs.reshape(-1, *image), degrees, axes=(2, 1), reshape=False, order=1)
    return np.clip(turned, 0, 1).reshape(len(inputs), -1).astype(np.float32)


def false_alarms(simulated: Simulation, size: int, trials: int, seed: int = 1) -> dict[str, float]:
    """Return the share of windows without any drift that get a warning or an alert, and that of a bare threshold."""
    random = np.random.default_rng([seed, size])
    wrong = alerts = bare = 0
    for _ in range(trials):
        rows = random.permutation(len(simulated.clean))
        current, baseline = rows[:size], rows[size : size + BASELINE]
        window = simulated.clean.window(current)
        drift = detect(window, simulated.reference, simulated.clean.window(baseline), THRESHOLDS)
        wrong += drift.verdict in (Verdict.WARNING, Verdict.ALERT)
        alerts += drift.verdict is Verdict.ALERT
        bare += _bare(simulated.reference, window)
    return {"warning or alert": wrong / trials, "alert": alerts / trials, "bare PSI of 0.1 or more": bare / trials}


def _bare(reference: Summary, window: Summary) -> bool:
    """Whether any signal's PSI reaches the warning threshold, without regard to chance: common practice."""
    labels = {**reference.classes, **window.classes}
    pairs = [[sample.classes.get(label, 0) for label in labels] for sample in (reference, window)]
    indexes = [histogram_divergence(*pairs).psi]
    indexes += [
        histogram_divergence(reference.histograms[name], window.histograms[name]).psi for name in window.histograms
    ]
    return max(indexes) >= THRESHOLDS.drift_warning


def detection(
    simulated: Simulation, name: str, size: int, trials: int, share: float = 1.0, seed: int = 2
) -> dict[str, float]:
    """Return the share of windows that get an alert when the part `share` of each has drifted."""
    random = np.random.default_rng([seed, size])
    pool = simulated.drifted[name]
    alerts = either = 0
    for _ in range(trials):
        drifted = pool.window(random.choice(len(pool), round(size * share), replace=False))
        rows = random.permutation(len(simulated.clean))
        clean = size - round(size * share)
        window = _together(drifted, simulated.clean.window(rows[:clean])) if clean else drifted
        baseline = simulated.clean.window(rows[clean : clean + BASELINE])
        drift = detect(window, simulated.reference, baseline, THRESHOLDS)
        alerts += drift.verdict is Verdict.ALERT
        either += drift.verdict in (Verdict.WARNING, Verdict.ALERT)
    return {"alert": alerts / trials, "warning or alert": either / trials}


def _together(one: Summary, other: Summary) -> Summary:
    assert one.blocks is not None
    assert other.blocks is not None
    return Summary(
        one.count + other.count,
        {label: one.classes.get(label, 0) + other.classes.get(label, 0) for label in {**one.classes, **other.classes}},
        {name: _sums(one.histograms[name], other.histograms[name]) for name in one.histograms},
        Moments(
            one.blocks.count + other.blocks.count,
            _sums(one.blocks.sums, other.blocks.sums),
            _sums(one.blocks.squares, other.blocks.squares),
        ),
    )


def _sums(one: Iterable[Any], other: Iterable[Any]) -> tuple[Any, ...]:
    return tuple(a + b for a, b in zip(one, other, strict=True))


def query_cost(predictions: int, rounds: int = 2, hours: tuple[int, int] = (168, 24)) -> dict[str, float]:
    """Return what GET /drift/status reads and its time, with `predictions` in its hours (baseline, current)."""
    import boto3
    from moto import mock_aws

    from drift.report import DriftReport
    from mlops.aws.dynamodb import DynamoTable
    from mlops.aws.governance_table import GovernanceTable
    from mlops.aws.serving_bucket import ServedModels
    from mlops.aws.stats_table import PredictionStats, Series, hour_of, hours_before
    from tests.support.serving import served
    from tests.support.tables import make_table

    with mock_aws():
        table = make_table("PredictionStatsTable", f"stats-{uuid.uuid4().hex[:8]}", "us-east-1")
        manifest = served().manifest
        series = Series(manifest.model_name, manifest.model_version, manifest.stage)
        written = 0
        for ago in range(sum(hours)):
            counts = _hour(predictions // sum(hours))
            written += sum(len(name) + len(str(value)) for name, value in counts.items())
            item = {"series": series.key, "slot": f"{hours_before(hour_of(time.time()), ago)}/Production", **counts}
            table.put_item(Item=item)
        reads = {"queries": 0, "items": 0}
        query = table.query

        def counted(**request: Any) -> Any:
            answer = query(**request)
            reads["queries"] += 1
            reads["items"] += answer["Count"]
            return answer

        table.query = counted
        s3 = boto3.client("s3", region_name="us-east-1")
        s3.create_bucket(Bucket="artifacts")
        reference = {
            "count": 1000,
            "predictions": {"counts": [100] * 10},
            "confidence": {"counts": [100] * 10},
            "mean_intensity": {"counts": [100] * 10},
            "ink_share": {"counts": [100] * 10},
            "block_means": {"sums": [500.0] * 49, "squares": [300.0] * 49},
        }
        body = replace(manifest, reference=reference).to_json()
        s3.put_object(Bucket="artifacts", Key=f"serving/{manifest.model_name}/Production.json", Body=body)
        stats, served_models = PredictionStats(DynamoTable(table)), ServedModels("artifacts")
        settings = GovernanceTable(
            DynamoTable(make_table("GovernanceTable", f"governance-{uuid.uuid4()}", "us-east-1"))
        )
        report = DriftReport(stats, served_models, THRESHOLDS, manifest.model_name, settings)
        report.status(None, *hours)
        reads.update(queries=0, items=0)
        times = []
        for _ in range(rounds):
            began = time.process_time()
            report.status(None, *hours)
            times.append(time.process_time() - began)
        return {
            "items": reads["items"] / rounds,
            "queries": reads["queries"] / rounds,
            "kilobytes": written / 1000,
            "cpu_ms": 1000 * min(times),
        }


def _hour(n: int) -> dict[str, int]:
    """Return the counts of n predictions, evenly spread, with the same names for any n."""
    tenth = {f"{letter}{bin}": max(1, n // 10) for letter in "cik" for bin in range(10)}
    labels = {f"p:{label}": max(1, n // 10) for label in range(10)}
    blocks = {
        f"{letter}{block:02}": max(1, n) * size for letter, size in (("s", 500), ("q", 300_000)) for block in range(49)
    }
    return {
        "n": n,
        "m": n,
        "r": n,
        "cs": n * 900_000,
        "cq": n * 820_000,
        "l1": n,
        "ls": n * 1200,
        **tenth,
        **labels,
        **blocks,
    }


def trained() -> tuple[Any, Predictor, float]:
    """Return MNIST, a predictor of the default model trained on it, and its accuracy."""
    import onnxruntime

    from benchmarks.train import Watch
    from trainer import data, export, models
    from trainer.parameters import Parameters

    dataset = data.load("mnist")
    chosen = Parameters(model_type="mlp", epochs=5)
    exported = export.export(models.find("mlp").train(dataset, chosen, Watch()), dataset)
    session = onnxruntime.InferenceSession(exported.content, providers=["CPUExecutionProvider"])
    accuracy = float((exported.answers.argmax(axis=1) == dataset.held_out.targets).mean())
    return dataset, lambda inputs: session.run(["probabilities"], {"inputs": inputs})[0], accuracy


def main() -> None:
    """Print the tables and write them to benchmarks/results/."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--trials", type=int, default=1000)
    trials = parser.parse_args().trials
    about = machine.describe("numpy", "torch", "onnxruntime", "scipy")
    dataset, predict, accuracy = trained()
    simulated = simulation(dataset.held_out.inputs, dataset.held_out.targets, predict, dataset.image)
    alarms = {size: false_alarms(simulated, size, trials) for size in CLEAN_SIZES}
    detected = {
        (name, size, share): detection(simulated, name, size, trials // 5, share)
        for name in simulated.drifted
        for size, share in [*((size, 1.0) for size in DRIFT_SIZES), (500, 0.5)]
    }
    costs = {count: query_cost(count) for count in (1_000, 1_000_000)}
    first = machine.table(
        ["predictions", "warning or alert", "alert", "bare PSI of 0.1 or more"],
        [[f"{size}", *(f"{value:.1%}" for value in alarms[size].values())] for size in CLEAN_SIZES],
    )
    second = machine.table(
        ["drift", *(f"{size}" for size in DRIFT_SIZES), "500, half of them drifted"],
        [
            [
                name,
                *(f"{detected[name, size, 1.0]['alert']:.1%}" for size in DRIFT_SIZES),
                f"{detected[name, 500, 0.5]['alert']:.1%}",
            ]
            for name in simulated.drifted
        ],
    )
    third = machine.table(
        ["predictions", "items read", "queries", "kB", "CPU with the simulated DynamoDB, ms"],
        [[f"{count:,}", *(round(value, 1) for value in cost.values())] for count, cost in costs.items()],
    )
    text = (
        f"The default MLP, 5 epochs on MNIST, {accuracy:.1%} right; reference of {simulated.reference.count} held-out "
        f"digits, windows of other ones, a baseline of {BASELINE}.\n\n"
        f"## False alarms: windows with no drift, {trials} trials each\n\n{first}\n"
        f"## Detection: share of windows with an alert, {trials // 5} trials each\n\n{second}\n"
        f"## GET /drift/status over 192 hours\n\n{third}"
    )
    print(text)
    result = {
        "machine": about,
        "accuracy": accuracy,
        "trials": trials,
        "false_alarms": {str(size): shares for size, shares in alarms.items()},
        "detection": [
            {"drift": name, "predictions": size, "share": share, **alerts}
            for (name, size, share), alerts in detected.items()
        ],
        "query": {str(count): cost for count, cost in costs.items()},
    }
    machine.write("drift", "Drift detection", result, text)


if __name__ == "__main__":
    main()
