"""One training through the trainer's own steps, in this process: read, train, export and prove, measure."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

from benchmarks.tables.clock import Clock
from benchmarks.tables.made import TARGET


class Unwatched:
    """The session of a run that nobody watches or stops."""

    def resume(self) -> bytes | None:
        return None

    def should_stop(self) -> bool:
        return False

    def on_train_begin(self, epochs: int) -> None:
        pass

    def on_epoch_end(self, epoch: int, metrics: Mapping[str, float], state: Callable[[], bytes] | None) -> None:
        pass

    def interrupt(self, state: bytes | None) -> NoReturn:
        raise AssertionError("nothing stops a bench")


def train(path: Path, model_type: str, rounds: int) -> dict[str, Any]:
    """Train as `python -m trainer` does until the model is exported, proved and measured, without MLflow."""
    clock = Clock()
    from trainer import data, invocation, models
    from trainer.data_options import data_options
    from trainer.evaluation import evaluate
    from trainer.export import export

    __import__(model_type)
    asked = invocation.resolve(
        {"model_type": model_type, "target": TARGET, "hyperparameters": {"n_estimators": rounds}}  # type: ignore[dict-item]
    )
    clock.note("import")
    dataset = data.load(str(path), data_options(asked), trusted=True)
    clock.note("read")
    trained = models.find(model_type).train(dataset, asked, Unwatched())
    clock.note("fit")
    exported = export(trained, dataset)
    clock.note("export and prove")
    held_out = dataset.held_out
    metrics = evaluate(dataset.task, exported.answers, held_out.targets, dataset.labels, held_out.weights).metrics()
    clock.note("measure")
    return {**clock.result(), "score": metrics.get("accuracy", metrics.get("rmse")), "held_out": len(held_out)}


def read(path: Path) -> dict[str, Any]:
    """Read a table, and return the peak memory of this process."""
    from trainer import data, process
    from trainer.data import DataOptions

    dataset = data.load(str(path), DataOptions(target=TARGET), trusted=True)
    rows = len(dataset.train) + len(dataset.held_out) + (len(dataset.validation) if dataset.validation else 0)
    return {"peak_memory_mb": process.peak_memory_mb(), "rows": rows}
