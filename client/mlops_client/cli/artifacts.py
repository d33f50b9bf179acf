"""mlops artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, OfExperiment, RunName, new_client
from mlops_client.cli.tables import Column, Shown
from mlops_client.errors import BadInput
from mlops_client.finding import find_runs

if TYPE_CHECKING:
    from mlops_client.client import Client
    from mlops_client.models import ArtifactFile


def register(app: typer.Typer) -> None:
    app.command("artifacts")(artifacts)


def artifacts(
    run: RunName,
    path: Annotated[
        str | None, typer.Argument(metavar="PATH", help="Only this file, or the files in this folder of the run.")
    ] = None,
    folder: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="DIR", help="Download the files into this folder.")
    ] = None,
    experiment: OfExperiment = None,
    as_json: Json = False,
) -> None:
    """List the files of a run: the model, the model card, pictures, what it has logged. Or download them."""
    client = new_client()
    name, (run_id,) = find_runs(client, [run], experiment)
    files = client.artifacts(name, run_id, path)
    if folder is not None:
        for file in files:
            _download(client, file, folder)
    if as_json:
        output.print_json(files)
    elif folder is not None:
        output.print_line(f"{len(files)} files, {_size(sum(file.size for file in files))}, in {folder}")
    else:
        columns = [Column("path", 9, whole=True), Column("size", 8, right=True)]
        rows = [[file.path, Shown(_size(file.size), file.size)] for file in files]
        output.show(columns, rows, "the run has no files")


def _download(client: Client, file: ArtifactFile, folder: Path) -> None:
    """Write a file below the folder. Whoever dies in between leaves no half of it. Raises BadInput."""
    target = folder / file.path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise BadInput(f"the run's file {file.path!r} would be outside {folder}; download the others by their paths")
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(f"{target.name}.part")
    part.write_bytes(client.transport.download(file.url))
    part.replace(target)


def _size(size: float) -> str:
    for unit in ("B", "kB", "MB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} GB"
