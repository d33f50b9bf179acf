"""Training on real MNIST: accuracy, time and peak memory of each model type, beside a plain loop of the same network.

Each row is a process of its own, so that its peak memory is its own; the rows run one after the other. The plain loop
is what a tutorial writes: a Dataset that makes a tensor of an image at a time, a DataLoader, Adam at its usual rate, no
augmentation, batches of 64. Both measure the held-out digits after each epoch, and that time counts for both.

    MNIST_DIR=… python -m benchmarks.train [row …]
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NoReturn

from benchmarks import machine

GOAL = 0.99
PLAIN_EPOCHS = 12
SVM_ROWS = 10_000
"""A support vector machine's time grows with the square of the rows; on all 50,000 it takes most of an hour."""

ROWS: dict[str, dict[str, Any]] = {
    "mlp": {"model_type": "mlp"},
    "mlp, preset": {"model_type": "mlp", "preset": "best"},
    "mlp, plain loop": {"model_type": "mlp", "plain": True, "epochs": 10},
    "cnn, preset": {"model_type": "cnn", "preset": "best"},
    "cnn, plain loop": {"model_type": "cnn", "plain": True, "epochs": PLAIN_EPOCHS, "until": GOAL},
    "logistic_regression": {"model_type": "logistic_regression", "preset": "best"},
    "random_forest": {"model_type": "random_forest", "preset": "best"},
    f"svm, {SVM_ROWS:,} rows": {"model_type": "svm", "preset": "best", "rows": SVM_ROWS},
}


@dataclass
class Watch:
    """The session of a measured run: after each epoch the seconds, the processor's seconds and the accuracy.

    The processor's seconds leave out what other programs took, so they compare well on a machine that is not idle.
    """

    began: tuple[float, float] = (0.0, 0.0)
    curve: list[tuple[float, float, float]] = field(default_factory=list)

    def resume(self) -> bytes | None:
        return None

    def should_stop(self) -> bool:
        return False

    def on_train_begin(self, epochs: int) -> None:
        self.began = time.perf_counter(), time.process_time()

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        self.note(metrics["val_accuracy"])

    def interrupt(self, state: bytes | None) -> NoReturn:
        raise AssertionError("nothing stops a bench")

    def note(self, accuracy: float) -> None:
        self.curve.append((time.perf_counter() - self.began[0], time.process_time() - self.began[1], accuracy))
        print(f"  epoch {len(self.curve)}: {accuracy:.2%}, {self.curve[-1][1]:.1f} CPU s", file=sys.stderr, flush=True)

    def to(self, goal: float) -> tuple[float | None, float | None]:
        """Seconds and the processor's seconds until `goal` was reached."""
        return next(((seconds, cpu) for seconds, cpu, accuracy in self.curve if accuracy >= goal), (None, None))


def measure(row: dict[str, Any]) -> dict[str, Any]:
    """Train as `row` says, in this process."""
    import numpy as np

    from trainer import data, export, invocation, models, process

    row = dict(row)
    plain, rows, until = row.pop("plain", False), row.pop("rows", None), row.pop("until", None)
    preset = {"preset": "best"} if plain else {}
    asked = invocation.resolve({**preset, **row})
    dataset = data.load("mnist")
    if rows:
        few = dataset.train.take(np.arange(rows))
        dataset = data.Dataset("mnist", few, dataset.held_out, dataset.labels, dataset.image, dataset.digest)
    watch = Watch()
    found: dict[str, Any] = {}
    if plain:
        plain_loop(asked, dataset, watch, until)
    else:
        exported = export.export(models.find(asked.model_type).train(dataset, asked, watch), dataset)
        accuracy = float((exported.answers.argmax(1) == dataset.held_out.targets).mean())
        watch.curve[-1] = (*watch.curve[-1][:2], accuracy)
        found = {"model_bytes": len(exported.content), "prediction_ms": exported.latency_ms}
    seconds, cpu_seconds, accuracy = watch.curve[-1]
    to_goal, cpu_to_goal = watch.to(GOAL)
    return {
        "accuracy": accuracy,
        "epochs": len(watch.curve),
        "seconds": seconds,
        "cpu_seconds": cpu_seconds,
        "seconds_to_goal": to_goal,
        "cpu_seconds_to_goal": cpu_to_goal,
        "peak_memory_mb": process.peak_memory_mb(),
        "curve": watch.curve,
        **found,
    }


def plain_loop(asked: Any, dataset: Any, watch: Watch, until: float | None) -> None:
    """The network of `asked`, trained as a tutorial does; ends early once `until` is reached."""
    import numpy as np
    import torch
    from torch.utils.data import DataLoader, Dataset

    from trainer import models

    torch.manual_seed(asked.seed)
    network_type = models.find(asked.model_type)
    own = models.settings(network_type, network_type.hyperparameters, asked, dataset)
    network = network_type.build(dataset, own)  # type: ignore[attr-defined]
    pixels = np.rint(dataset.train.inputs * 255).astype(np.uint8).reshape(-1, 28, 28)
    held_out = torch.from_numpy(dataset.held_out.inputs), torch.from_numpy(dataset.held_out.targets)

    class Digits(Dataset):
        def __len__(self) -> int:
            return len(pixels)

        def __getitem__(self, index: int) -> tuple[torch.Tensor, int]:
            return torch.from_numpy(pixels[index]).float().div(255).view(-1), int(dataset.train.targets[index])

    optimiser = torch.optim.Adam(network.parameters())
    loader = DataLoader(Digits(), batch_size=64, shuffle=True)
    watch.on_train_begin(asked.epochs)
    for _ in range(asked.epochs):
        network.train()
        for inputs, targets in loader:
            optimiser.zero_grad()
            torch.nn.functional.cross_entropy(network(inputs), targets).backward()
            optimiser.step()
        network.eval()
        with torch.inference_mode():
            answers = torch.cat([network(batch).argmax(1) for batch in held_out[0].split(1000)])
        watch.note(float((answers == held_out[1]).float().mean()))
        if until and watch.curve[-1][2] >= until:
            return


def first_epoch() -> dict[str, float]:
    """Seconds from the start of `python -m trainer` on digits to each of its first log lines."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("TRAIN_", "MLFLOW_"))}
    environment |= {"MLFLOW_TRACKING_URI": "http://127.0.0.1:9", "DELIVERY_MAX_WAIT_SECONDS": "0"}
    found: dict[str, float] = {}
    began = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, "-m", "trainer"], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    assert process.stdout is not None
    for line in process.stdout:
        event = json.loads(line)["event"]
        found.setdefault(event, time.perf_counter() - began)
        if event == "epoch.done":
            break
    process.kill()
    process.stdout.close()
    process.wait()
    names = {"trainer.started": "interpreter and parameters", "data.loaded": "data", "imports.done": "torch"}
    parts, before = {}, 0.0
    for event, name in {**names, "epoch.done": "first epoch"}.items():
        parts[name] = found[event] - before
        before = found[event]
    return {**parts, "all": before}


def main(wanted: list[str]) -> int:
    if not os.environ.get("MNIST_DIR"):
        print(
            "benchmarks.train: MNIST_DIR is not set; give it the folder of train-images-idx3-ubyte.gz", file=sys.stderr
        )
        return 2
    result: dict[str, Any] = {"machine": machine.describe("torch", "scikit-learn", "numpy", "onnxruntime")}
    result["first_epoch_seconds"] = min((first_epoch() for _ in range(3)), key=lambda parts: parts["all"])
    rows = {name: row for name, row in ROWS.items() if not wanted or name in wanted}
    result["rows"] = {name: _in_a_process(name, row) for name, row in rows.items()}
    ours, plain = result["rows"].get("cnn, preset"), result["rows"].get("cnn, plain loop")
    if ours and plain:
        for key in ("seconds_to_goal", "cpu_seconds_to_goal"):
            # A plain loop that never reached it counts with all the time it had.
            theirs = plain[key] or plain[key.removesuffix("_to_goal")]
            result[f"cnn_{key}_ratio"] = ours[key] / theirs if ours[key] else None
    machine.write("train", "Training", result, _tables(result))
    print((machine.RESULTS / "train.md").read_text())
    return 0


def _in_a_process(name: str, row: dict[str, Any]) -> dict[str, Any]:
    print(f"{name} …", file=sys.stderr, flush=True)
    command = [sys.executable, "-m", "benchmarks.train", "--row", json.dumps(row)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True, cwd=Path(__file__).parent.parent)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def _tables(result: dict[str, Any]) -> str:
    header = ["50,000 digits of MNIST", "accuracy of 10,000", "epochs", "seconds", "CPU s"]
    header += [f"seconds to {GOAL:.0%}", f"CPU s to {GOAL:.0%}", "peak MiB"]
    keys = ("epochs", "seconds", "cpu_seconds", "seconds_to_goal", "cpu_seconds_to_goal", "peak_memory_mb")
    rows = [[name, f"{row['accuracy']:.2%}", *(row[key] for key in keys)] for name, row in result["rows"].items()]
    text = machine.table(header, rows)
    if ratio := result.get("cnn_seconds_to_goal_ratio"):
        cpu = result["cnn_cpu_seconds_to_goal_ratio"]
        text += (
            f"\nThe CNN reaches {GOAL:.0%} in {ratio:.2f} of the plain loop's time, {cpu:.2f} of its processor time.\n"
        )
    parts = [[name, seconds] for name, seconds in result["first_epoch_seconds"].items()]
    return text + "\n" + machine.table(["`python -m trainer` on digits, to its first epoch", "seconds"], parts)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--row"]:
        print(json.dumps(measure(json.loads(sys.argv[2]))))
        sys.exit(0)
    sys.exit(main(sys.argv[1:]))
