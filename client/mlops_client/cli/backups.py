"""mlops backup and restore: the whole stack, for operators."""

from __future__ import annotations

import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mlops_client.cli import output
from mlops_client.cli.operator import DEFAULT_STACK, Stack
from mlops_client.cli.options import Json
from mlops_client.errors import BadInput

if TYPE_CHECKING:
    from mlops_client.operator.backups.files import Manifest


def register(app: typer.Typer) -> None:
    app.command("backup")(backup)
    app.command("restore")(restore)


def backup(
    folder: Annotated[
        Path | None, typer.Argument(metavar="DIR", help="A new folder, or that of an unfinished backup.")
    ] = None,
    resume_queue: Annotated[
        bool,
        typer.Option("--resume-queue", help="Only start the promotion queue that a killed backup has left stopped."),
    ] = False,
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Copy a whole stack into a folder: database, tables, and bucket. This needs AWS credentials.

    Transitions wait meanwhile. A backup that was interrupted goes on when it is asked for again.
    """
    from mlops_client.operator import aws
    from mlops_client.operator.backups.queue import PromotionQueue
    from mlops_client.operator.backups.saving import backup as save
    from mlops_client.operator.backups.stack import StackResources

    if resume_queue:
        with aws.translated_errors():
            started = PromotionQueue(StackResources.of(stack)).resume()
        output.print_line("the promotion queue is started" if started else "no backup has stopped the promotion queue")
        return
    if folder is None:
        raise BadInput("name a folder for the backup, such as `mlops backup backup-2026-01-31`")
    _end_in_order()
    manifest = save(stack, folder, output.note)
    _show(manifest, f"{folder} has a whole backup", as_json)


def restore(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A backup.")],
    stack: Stack = DEFAULT_STACK,
    as_json: Json = False,
) -> None:
    """Copy a backup into a new stack that nobody has used. This needs AWS credentials.

    All hashes are checked first. A restore that was interrupted goes on when it is asked for again.
    """
    from mlops_client.operator.backups.restoring import restore as copy_back

    _end_in_order()
    manifest = copy_back(stack, folder, output.note)
    _show(manifest, f"{folder} is restored into {stack}", as_json)
    if as_json:
        return
    for key in manifest.keys:
        models = "".join(f" --models '{model}'" for model in key.models if model != "*")
        output.note(
            f"make this key again: mlops keys create '{key.name}' --owner '{key.owner}' --role {key.role}{models}"
        )
    for host in manifest.webhooks:
        output.note(f"make this webhook again, with its address: one to {host}")


def _show(manifest: Manifest, sentence: str, as_json: bool) -> None:
    counts = {
        "tables": len(manifest.tables),
        "items": sum(each.items for each in manifest.tables.values()),
        "rows": sum(manifest.rows.values()),
        "objects": manifest.objects,
        "bytes": manifest.bytes,
    }
    if as_json:
        output.print_json({"stack_id": manifest.stack_id, "created_at": manifest.created_at, **counts})
    else:
        output.print_line(f"{sentence}: {', '.join(f'{count:,} {name}' for name, count in counts.items())}")


def _end_in_order() -> None:
    """Let SIGTERM end the process as Ctrl-C does, so that the promotion queue is started again."""

    def end(number: int, frame: Any) -> None:
        sys.exit(128 + number)

    signal.signal(signal.SIGTERM, end)
