"""Restore a backup into a new stack: its database, its bucket, its tables."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mlops_client.errors import BadInput, MlopsError
from mlops_client.operator import aws
from mlops_client.operator.backups import files
from mlops_client.operator.backups.addresses import Rewriting
from mlops_client.operator.backups.database import DatabaseCopies
from mlops_client.operator.backups.files import MANIFEST, Manifest, sha256_of
from mlops_client.operator.backups.objects import Objects
from mlops_client.operator.backups.queue import PromotionQueue
from mlops_client.operator.backups.stack import StackResources
from mlops_client.operator.backups.tables import NOT_RESTORED, Tables

NOTE = "platform/restore.json"
"""The object that says which backup is restored here, and whether all of it is there."""

Say = Callable[[str], None]


def restore(stack_name: str, folder: Path, say: Say) -> Manifest:
    """Copy a backup into a stack that nobody has used yet. A restore that was interrupted goes on.

    Every file is compared with its hash before anything is written. The bucket's name is written anew in the database
    and in the records, but not in histories, whose hashes it is part of.

    Args:
        stack_name: The CloudFormation stack.
        folder: A backup.
        say: Called with a sentence for each step.

    Raises:
        BadInput: The folder has no whole backup, or a file was changed; or the stack is not empty. Nothing was written.
        MlopsError: AWS cannot be reached or refuses something, or something is missing at the end.
    """
    manifest = Manifest.read(folder)
    files.check(folder, manifest)
    say(f"all files are as they were written, of {manifest.stack_id} at {manifest.created_at}")
    stack = StackResources.of(stack_name)
    with aws.translated_errors():
        note = _Note(stack, sha256_of(folder / MANIFEST))
        database, objects, tables = DatabaseCopies(stack), Objects(stack), Tables(stack)
        if unknown := manifest.tables.keys() - set(stack.tables):
            raise BadInput(f"the stack has no {', '.join(sorted(unknown))}: deploy the version that the backup is from")
        if note.begun():
            say("goes on with the restore that was interrupted")
        else:
            _check_empty(manifest, database, objects, tables)
        with PromotionQueue(stack).stopped(say):
            note.write(done=False)
            rewriting = Rewriting(manifest.bucket, stack.bucket)
            with tempfile.TemporaryDirectory() as scratch:
                rows = database.load(folder, rewriting, Path(scratch))
            say(f"the database, {sum(rows.values())} rows")
            objects.restore(folder)
            say(f"{manifest.objects} objects")
            restored = {name: each for name, each in manifest.tables.items() if name not in NOT_RESTORED}
            for name, table in restored.items():
                tables.restore(folder, name, table, rewriting)
            say(f"{len(restored)} tables, {sum(each.items for each in restored.values())} items")
            _verify(
                folder,
                manifest,
                rows,
                objects,
                {name: tables.missing(folder, name, restored[name]) for name in restored},
            )
            note.write(done=True)
    return manifest


def _check_empty(manifest: Manifest, database: DatabaseCopies, objects: Objects, tables: Tables) -> None:
    found = [*tables.in_use(), *objects.in_use()]
    if found:
        raise BadInput(f"the stack is not empty, and nothing was restored: it has {', '.join(found)}. Deploy a new one")
    schema = database.schema_of_empty()
    if schema != manifest.schema:
        raise BadInput(
            f"the backup is of the database's schema {manifest.schema}, and the stack has {schema}: deploy the version "
            "of the platform that the backup is from, restore, and update the stack then"
        )


def _verify(folder: Path, manifest: Manifest, rows: dict[str, int], objects: Objects, items: dict[str, int]) -> None:
    """Compare what is there with what the backup has. Raises MlopsError."""
    missing = {f"items of {name}": count for name, count in items.items() if count}
    if rows != manifest.rows:
        missing["rows of the database"] = sum(manifest.rows.values()) - sum(rows.values())
    if count := objects.missing(folder):
        missing["objects"] = count
    if missing:
        told = ", ".join(f"{count} {what}" for what, count in missing.items())
        raise MlopsError(f"after the restore these are missing: {told}. Restore again, which goes on")


class _Note:
    """The note in the bucket of a stack which backup is restored there."""

    def __init__(self, stack: StackResources, backup: str) -> None:
        self._bucket, self._backup = stack.bucket, backup
        self._s3: Any = aws.session().client("s3")

    def begun(self) -> bool:
        """Return whether a restore of the same backup was begun. Raises BadInput: of another one, or it is done."""
        if self._s3.list_objects_v2(Bucket=self._bucket, Prefix=NOTE).get("KeyCount", 0) == 0:
            return False
        note = json.loads(self._s3.get_object(Bucket=self._bucket, Key=NOTE)["Body"].read())
        if note["backup"] != self._backup:
            raise BadInput("the stack has another backup, restored or in part: deploy a new stack")
        if note["done"]:
            raise BadInput("this backup was restored into this stack before: deploy a new stack to restore it again")
        return True

    def write(self, *, done: bool) -> None:
        body = json.dumps({"backup": self._backup, "done": done}).encode()
        self._s3.put_object(Bucket=self._bucket, Key=NOTE, Body=body)
