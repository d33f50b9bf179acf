"""The files of a backup: how they are written, hashed and found again."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from mlops_client.errors import BadInput

FORMAT = 1
MANIFEST = "manifest.json"
DATABASE = "database.tar"
OBJECTS = "objects.jsonl"
CONTENTS = "contents"
"""The folder with the contents of objects, by their hashes."""
_BLOCK = 1 << 20


@dataclass(frozen=True)
class StoredObject:
    """An object of the bucket in a backup. Its content is in the folder `contents`, by its hash."""

    key: str
    version_id: str
    sha256: str
    size: int
    content_type: str
    metadata: dict[str, str] = field(default_factory=dict)
    tags: dict[str, str] = field(default_factory=dict)

    @property
    def file(self) -> str:
        return f"{CONTENTS}/{self.sha256[:2]}/{self.sha256}"


@dataclass(frozen=True)
class TableFile:
    """A table in a backup: its file, and how many items it has."""

    file: str
    items: int


@dataclass(frozen=True)
class KeyOwner:
    """An API key that has to be made again: a backup has no key's value."""

    name: str
    owner: str
    role: str
    models: list[str]


@dataclass(frozen=True)
class Manifest:
    """What a backup has. It is written last: a folder without it is no backup.

    Attributes:
        format: The version of this format.
        created_at: When the backup was begun.
        stack_id: The ARN of the stack.
        bucket: The bucket of the stack, whose name addresses in records have.
        schema: The migration of MLflow that the database is from.
        rows: The rows of each table of the database.
        tables: The DynamoDB tables, by their names in the template.
        objects: How many objects there are.
        bytes: The size of all objects.
        keys: The API keys.
        webhooks: The hosts of webhooks, whose addresses and secrets are not in a backup.
        files: The SHA-256 of each file but for contents, whose names are their hashes.
    """

    format: int
    created_at: str
    stack_id: str
    bucket: str
    schema: str
    rows: dict[str, int]
    tables: dict[str, TableFile]
    objects: int
    bytes: int
    keys: list[KeyOwner]
    webhooks: list[str]
    files: dict[str, str]

    def write(self, folder: Path) -> None:
        """Write it, so that a process that dies leaves all of it or nothing."""
        write_whole(folder / MANIFEST, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @classmethod
    def read(cls, folder: Path) -> Manifest:
        """Read the manifest of a folder. Raises BadInput: there is none, or it is of another format."""
        path = folder / MANIFEST
        try:
            document = json.loads(path.read_text())
        except FileNotFoundError:
            raise BadInput(
                f"{folder} has no {MANIFEST}, so it is no whole backup: finish it with `mlops backup {folder}`"
            ) from None
        except (OSError, ValueError) as error:
            raise BadInput(f"{path} cannot be read ({error}): use another backup") from None
        if document.get("format") != FORMAT:
            raise BadInput(f"{path} has the format {document.get('format')}, and this client reads {FORMAT}: update it")
        tables = {name: TableFile(**each) for name, each in document["tables"].items()}
        return cls(**{**document, "tables": tables, "keys": [KeyOwner(**each) for each in document["keys"]]})


def check(folder: Path, manifest: Manifest) -> None:
    """Compare every file of a backup with its hash. Raises BadInput, which names the first one that differs."""
    for name, sha256 in manifest.files.items():
        _check_file(folder, name, sha256)
    seen: set[str] = set()
    for each in read_objects(folder / OBJECTS):
        if each.sha256 not in seen:
            seen.add(each.sha256)
            _check_file(folder, each.file, each.sha256)


def read_objects(path: Path) -> Iterator[StoredObject]:
    """Yield the objects of a list. A line that a killed process has not finished is left out."""
    for document in read_lines(path):
        yield StoredObject(**document)


def read_lines(path: Path) -> Iterator[Any]:
    """Yield what the whole lines of a file of JSON lines say; nothing if there is no file."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for line in file:
            if line.endswith(b"\n"):
                yield json.loads(line)


def json_line(document: Any) -> bytes:
    return json.dumps(document, sort_keys=True).encode() + b"\n"


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_whole(path: Path, content: bytes | Iterable[bytes]) -> str:
    """Write a file under another name and move it into place, and return its SHA-256.

    The data is on the disk before the name is, so that whoever sees the name has the whole file.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"{path.name}.part")
    digest = hashlib.sha256()
    with part.open("wb") as file:
        for block in [content] if isinstance(content, bytes) else content:
            file.write(block)
            digest.update(block)
        file.flush()
        os.fsync(file.fileno())
    part.replace(path)
    return digest.hexdigest()


def _check_file(folder: Path, name: str, sha256: str) -> None:
    path = folder / name
    if not path.is_file():
        raise BadInput(f"{path} is missing: nothing was restored; use another copy of the backup")
    if sha256_of(path) != sha256:
        raise BadInput(f"{path} was changed: its SHA-256 is not {sha256}. Nothing was restored; use another copy")
