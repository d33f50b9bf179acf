"""mlops forget."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from mlops_client.cli import output
from mlops_client.cli.options import Json, new_client
from mlops_client.errors import BadInput

MOST_SHOWN = 10


def register(app: typer.Typer) -> None:
    app.command("forget")(forget)


def forget(
    reason: Annotated[
        str, typer.Option("--reason", "-r", help="Reason, which the history keeps: do not name the person.")
    ],
    model_name: Annotated[str | None, typer.Argument(metavar="MODEL", help="The registered model.")] = None,
    ids: Annotated[list[str] | None, typer.Argument(metavar="ID", help="Ids of predictions.")] = None,
    file: Annotated[Path | None, typer.Option(help="A text file with an id on each line.")] = None,
    own: Annotated[bool, typer.Option("--own", help="The ids are those that you sent with the rows.")] = False,
    batch: Annotated[
        str | None, typer.Option(metavar="ID", help="In place of MODEL: delete the files of this batch prediction.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Delete what is kept of predictions, for good: answers, labels and sampled inputs."""
    if batch is not None:
        if model_name is not None or file is not None or own:
            raise BadInput("send a MODEL with IDs, or --batch, not both")
        freed = new_client().delete_batch_files(batch, reason)
        if as_json:
            output.print_json(freed)
        else:
            output.print_line(f"{freed.output} is empty now: {freed.freed_bytes:,} bytes, with all old versions")
        return
    if model_name is None:
        raise BadInput("forget needs a MODEL and the IDs of predictions, or --batch")
    wanted = [*(ids or ()), *(_lines(file) if file is not None else ())]
    answer = new_client().delete_predictions(model_name, reason, **{"ids" if own else "prediction_ids": wanted})
    if as_json:
        output.print_json(answer)
        return
    removed = ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in answer.removed.items())
    output.print_line(f"deleted: {removed}")
    missing = [*answer.not_found.prediction_ids, *map(str, answer.not_found.ids)]
    for id_ in missing[:MOST_SHOWN]:
        output.note(f"nothing was kept of {id_}")
    if len(missing) > MOST_SHOWN:
        output.note(f"… and {len(missing) - MOST_SHOWN:,} more")
    for place in answer.remaining:
        output.note(f"go by themselves within {place.days} days: {place.place}")


def _lines(file: Path) -> list[str]:
    """Return the ids in a file. Raises BadInput: it cannot be read."""
    try:
        return [line.strip() for line in file.read_text(encoding="utf-8-sig").splitlines() if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise BadInput(f"{file}: cannot be read: {error}") from None
