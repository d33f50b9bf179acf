"""The demo: train a sweep on handwritten digits, rank the runs, register and promote the best one, and predict.
Then the same with a table, and a column of it that breaks.

It uses the HTTP API with the API key only, like any other program.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.columns import Columns
from rich.console import Console, Group
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from infra.local import demo_table
from infra.local.api import Api, ApiError
from infra.local.demo_steps import ENDED, promoted, states, until_served, watch
from infra.local.engines import chosen, recorded
from infra.local.environment import addresses
from infra.local.errors import LocalStackError
from infra.local.held_out import held_out
from infra.local.packaging import read_template
from infra.local.settings import MINISTACK, Settings
from infra.local.stack import Stack

SHADES = " .:-=+*#%@"
DRAWN = 5


def main(arguments: Sequence[str]) -> int:
    """Run the demo and leave the stack up."""
    options = _parser().parse_args(arguments)
    console = Console(highlight=False)
    settings = chosen(Settings.from_environment())
    options.model = options.model or default_model(settings)
    began = time.monotonic()

    console.rule("[bold]1. The platform starts on this machine", align="left")
    variables = Stack(settings, say=lambda text: console.print(f"  {text}", style="dim")).up()
    api = Api(variables["MLOPS_API_URL"], variables["MLOPS_API_KEY"])
    try:
        sweep = _train(api, console, options)
        tables = demo_table.start(api)
        console.rule("[bold]3. The best run's model is registered, checked by the gates and promoted", align="left")
        version = promoted(api, console, sweep["transition_id"])
        _predict(api, console, options, version)
        demo_table.play(api, console, tables)
        experiment_id = api.get(f"/experiments/{demo_table.MODEL}?limit=1")["experiment_id"]
    except (ApiError, TimeoutError) as error:
        raise LocalStackError(f"{error}; `make logs` shows what the platform wrote") from error
    _where_next(console, variables, experiment_id, time.monotonic() - began)
    return 0


def _train(api: Api, console: Console, options: argparse.Namespace) -> dict[str, Any]:
    """Start the sweep and watch it to its end."""
    console.rule("[bold]2. A sweep is trained: each run is a job on AWS Batch", align="left")
    request = {
        "num_runs": options.runs,
        "epochs": options.epochs,
        "dataset": options.dataset,
        "experiment_name": f"demo-{options.dataset}",
        "model_name": options.model,
        "stage": "Production",
    }
    console.print(f"  POST /sweeps  {options.runs} runs of {options.epochs} epochs on the data set {options.dataset!r}")
    sweep_id = api.post("/sweeps", request)["sweep_id"]
    answers = states(lambda: api.get(f"/sweeps/{sweep_id}"), lambda answer: answer["status"] in ENDED)
    sweep: dict[str, Any] = watch(console, answers, _leaderboard, _line)
    if sweep["status"] != "completed":
        reasons = [run["error"] for run in sweep["runs"] if run["error"]]
        raise LocalStackError(f"the sweep ended {sweep['status']}: {'; '.join(reasons) or sweep['error']}")
    return sweep


def _line(sweep: dict[str, Any]) -> str:
    ended = sum(run["status"] in ENDED for run in sweep["runs"])
    return f"{sweep['sweep_id']} {sweep['status']}: {ended} of {sweep['num_runs']} runs ended"


def _leaderboard(sweep: dict[str, Any]) -> Table:
    table = Table(box=None, padding=(0, 1, 0, 0), title_justify="left")
    for name, justify in (("#", "right"), ("job", "left"), ("status", "left"), ("progress", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    # The rows for validation rank the runs; the gate then measures the best one by the held-out rows.
    for name in ("validation", "held-out", "rate", "hidden", "dropout"):
        table.add_column(name, justify="right")
    for place, run in enumerate(sweep["runs"], start=1):
        params, progress = run["params"], run["progress"]
        accuracies = [run["metrics"].get(name) for name in ("val_accuracy", "accuracy")]
        best = sweep["best"] and run["job_id"] == sweep["best"]["job_id"]
        table.add_row(
            str(place),
            run["job_id"],
            run["status"],
            ProgressBar(total=max(1, progress["epochs"]), completed=progress["epoch"], width=8),
            *("" if accuracy is None else f"{accuracy:.2%}" for accuracy in accuracies),
            f"{float(params['learning_rate']):.2g}",
            str(params["hidden_size"]),
            f"{float(params['dropout']):.2g}",
            style="bold green" if best else "red" if run["status"] == "failed" else "",
        )
    return table


def _predict(api: Api, console: Console, options: argparse.Namespace, version: int) -> None:
    """Ask for digits that no run has seen, and draw a few."""
    console.rule("[bold]4. Digits that were held out are predicted", align="left")
    images, labels = held_out(options.dataset)
    model = {"model_name": options.model}
    until_served(api, {"image": images[0], **model}, version)
    right = 0
    for start in range(0, len(images), 100):
        answer = api.post("/predict/batch", {"images": images[start : start + 100], **model})
        pairs = zip(answer["predictions"], labels[start : start + 100], strict=True)
        right += sum(prediction == label for prediction, label in pairs)
    drawings = []
    for image, label in list(zip(images, labels, strict=True))[:DRAWN]:
        answer = api.post("/predict", {"image": image, **model})
        predicted = f"{answer['prediction']} ({answer['confidence']:.0%})"
        style = "green" if answer["prediction"] == label else "red"
        drawings.append(Group(Text(_drawn(image)), Text(f"is {label}, predicted {predicted}", style=style)))
    console.print(Columns(drawings, padding=(0, 3)))
    console.print(
        f"  [bold]{right} of {len(images)}[/] right ({right / len(images):.1%}), by version {answer['model_version']}"
    )


def _drawn(image: list[float], side: int = 28, step: int = 2) -> str:
    """The image in characters, every second row, as characters are twice as high as wide."""
    rows = [image[row * side : (row + 1) * side] for row in range(0, side, step)]
    return "\n".join("".join(SHADES[min(9, int(pixel * 10))] for pixel in row) for row in rows)


def _where_next(console: Console, variables: dict[str, str], experiment_id: str, seconds: float) -> None:
    settings = recorded(Settings.from_environment())
    env = settings.env_file
    shown = env.relative_to(Path.cwd()) if env.is_relative_to(Path.cwd()) else env
    # `make` has to be told each time which local AWS is meant.
    choice = "" if settings.emulator == MINISTACK else f" AWS={settings.emulator}"
    kept = settings.emulator == MINISTACK or settings.engine
    stop = "stop, and keep the state" if kept else "stop, and lose the state"
    lines = Table.grid(padding=(0, 2))
    lines.add_column(no_wrap=True)
    lines.add_column(overflow="fold")  # so that an address can be copied
    for name, value in (
        *addresses(variables, experiment_id).items(),
        ("the console, signed in", ".venv/bin/mlops console"),
        ("variables for your shell", f"set -a; . {shown}; set +a"),
        ("what runs", f"make status{choice}"),
        (stop, f"make down{choice}"),
        ("stop, and remove everything", f"make reset{choice}"),
    ):
        lines.add_row(name, value)
    console.print(
        Panel(lines, title=f"done in {seconds:.0f} s; the stack keeps running", title_align="left", expand=False)
    )


def default_model(settings: Settings) -> str:
    """Return the name of the model that answers a request without one."""
    return str(read_template(settings.root / "template.yaml")["Parameters"]["DefaultModelName"]["Default"])


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.local demo", description=__doc__)
    parser.add_argument("--runs", type=int, default=4, help="number of runs of the sweep (4)")
    parser.add_argument("--epochs", type=int, default=8, help="epochs of each run (8)")
    parser.add_argument(
        "--dataset",
        choices=["digits", "mnist"],
        default="digits",
        help="digits or mnist; mnist needs the variable MNIST_DIR",
    )
    parser.add_argument("--model", help="name of the registered model; by default that of the template")
    return parser
