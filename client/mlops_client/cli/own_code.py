"""mlops run."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from mlops_client.cli import output, subject, watching
from mlops_client.cli.options import Json, new_client
from mlops_client.cli.results import finish_job
from mlops_client.cli.training import Key, Watch
from mlops_client.errors import BadInput
from mlops_client.packing import pack
from mlops_client.routes.base import given


def register(app: typer.Typer) -> None:
    app.command("run")(run)


def run(
    script: Annotated[str, typer.Argument(help="Path of the Python script, such as train.py.")],
    params: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", help="An argument of the script: lr=0.1 gives it --lr=0.1. Can be repeated."),
    ] = None,
    requirements: Annotated[
        str | None, typer.Option("--requirements", "-r", help="A requirements file, whose packages are installed.")
    ] = None,
    dataset: Annotated[
        str | None,
        typer.Option(
            "--dataset",
            "-d",
            help="The s3:// or https:// address of a file that the script reads. An s3:// address that ends in / "
            "stands for the Parquet files below it.",
        ),
    ] = None,
    folder: Annotated[
        Path, typer.Option("--folder", help="What is packed: the files that git tracks or does not ignore.")
    ] = Path("."),
    objective: Annotated[
        str | None, typer.Option(help="The metric of the script that says how good the run is.")
    ] = None,
    direction: subject.Direction = None,
    vcpu: subject.Vcpu = None,
    memory_gb: subject.MemoryGb = None,
    minutes: subject.Minutes = None,
    experiment_name: subject.Experiment = None,
    run_name: Annotated[str | None, typer.Option("--name", help="Name of the run.")] = None,
    watch: Watch = False,
    idempotency_key: Key = None,
    as_json: Json = False,
) -> None:
    """Run a Python script of your own as a job: its folder is packed and uploaded, and MLflow is set up for it."""
    own = subject.pairs("--param", "lr=0.1", params, str.partition)
    script_path, requirements_path = _within(folder, script), requirements and _within(folder, requirements)
    fields = {
        "script": script_path,
        "params": {name: subject.parse_value(text) for name, text in own.items()} or None,
        "requirements": requirements_path,
        "dataset": dataset,
        "objective": objective,
        "direction": direction,
        "resources": given({"vcpu": vcpu, "memory_gb": memory_gb, "minutes": minutes}) or None,
        "experiment_name": experiment_name,
        "run_name": run_name,
    }
    client = new_client()
    archive = pack(folder, [script_path, *([requirements_path] if requirements_path else [])])
    for name in archive.left_out:
        output.note(f"not packed: {name}, a submodule or a link to a folder")
    started = client.run_archive(archive, given(fields), idempotency_key)
    if watch:
        finish_job(watching.watch_job(started.status, started.job_id, quiet=as_json), as_json)
    elif as_json:
        output.print_json(started.status())
    else:
        output.print_line(f"{started.job_id} started; watch it: mlops jobs {started.job_id} --watch")


def _within(folder: Path, given_path: str) -> str:
    """Return a path below the folder that is packed. The shell completes paths from here. Raises BadInput."""
    relative = os.path.relpath(given_path, folder)
    if not Path(given_path).exists() and (folder / given_path).exists():
        relative = os.path.normpath(given_path)
    if relative.startswith("..") or os.path.isabs(relative):
        raise BadInput(f"{given_path} is not in the folder {folder}, which is packed; --folder names another one")
    return Path(relative).as_posix()
