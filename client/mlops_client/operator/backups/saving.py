"""Make a backup of a stack in a folder.

The tables are copied first, then the database, then the bucket: what refers to something is copied before it, and files
are only added meanwhile. So everything that a record or a version names is in the backup.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from mlops_client.errors import BadInput
from mlops_client.operator import aws
from mlops_client.operator.backups import tables as tables_of
from mlops_client.operator.backups.database import DatabaseCopies
from mlops_client.operator.backups.files import (
    CONTENTS,
    DATABASE,
    FORMAT,
    MANIFEST,
    OBJECTS,
    Manifest,
    json_line,
    read_lines,
    sha256_of,
    write_whole,
)
from mlops_client.operator.backups.objects import PARTS, Objects
from mlops_client.operator.backups.queue import PromotionQueue
from mlops_client.operator.backups.stack import StackResources
from mlops_client.operator.backups.tables import Tables

BEGUN = "begun.jsonl"
"""Of which stack an unfinished backup is."""

Say = Callable[[str], None]


def backup(stack_name: str, folder: Path, say: Say) -> Manifest:
    """Copy a stack into a folder. If the folder has an unfinished backup of the stack, it goes on.

    The promotion queue is stopped meanwhile, and started again in any case.

    Args:
        stack_name: The CloudFormation stack.
        folder: The folder; it is made.
        say: Called with a sentence for each step.

    Raises:
        BadInput: The folder has a whole backup, or one of another stack, or other files.
        MlopsError: AWS cannot be reached or refuses something, or the job of the database failed.
    """
    stack = StackResources.of(stack_name)
    created_at = datetime.now(UTC).isoformat(timespec="seconds")
    _begin(folder, stack)
    with aws.translated_errors(), PromotionQueue(stack).stopped(say):
        files: dict[str, str] = {}
        tables = {}
        for name in stack.tables:
            tables[name], files[f"tables/{name}.jsonl"] = Tables(stack).save(folder, name)
        say(f"{len(tables)} tables, {sum(each.items for each in tables.values())} items")
        schema, rows = DatabaseCopies(stack).dump(folder)
        files[DATABASE] = sha256_of(folder / DATABASE)
        say(f"the database, {sum(rows.values())} rows")
        count, size, files[OBJECTS] = Objects(stack).save(folder)
        say(f"{count} objects, {size:,} bytes")
    manifest = Manifest(
        format=FORMAT,
        created_at=created_at,
        stack_id=stack.stack_id,
        bucket=stack.bucket,
        schema=schema,
        rows=rows,
        tables=tables,
        objects=count,
        bytes=size,
        keys=tables_of.owners(folder, tables[tables_of.KEYS]),
        webhooks=tables_of.hosts(folder, tables[tables_of.WEBHOOKS]),
        files=files,
    )
    manifest.write(folder)
    for name in (BEGUN, PARTS):
        (folder / name).unlink(missing_ok=True)
    return manifest


def _begin(folder: Path, stack: StackResources) -> None:
    """Make the folder, or find out that an unfinished backup of the same stack is in it. Raises BadInput."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if (folder / MANIFEST).exists():
        raise BadInput(f"{folder} has a whole backup already: name a new folder")
    begun = next(read_lines(folder / BEGUN), None)
    if begun is None and any(folder.iterdir()):
        raise BadInput(f"{folder} has other files: name a new folder")
    if begun is not None and begun["stack_id"] != stack.stack_id:
        raise BadInput(f"{folder} has an unfinished backup of {begun['stack_id']}: name a new folder")
    write_whole(folder / BEGUN, json_line({"stack_id": stack.stack_id}))
    shutil.rmtree(folder / "tables", ignore_errors=True)
    for part in (folder / CONTENTS).glob("*.part"):
        part.unlink()
