"""The objects of the bucket, each read as the version that was the latest one when the bucket was listed."""

from __future__ import annotations

import hashlib
import itertools
import os
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from mlops_client.operator import aws
from mlops_client.operator.backups.files import CONTENTS, OBJECTS, StoredObject, json_line, read_objects, write_whole
from mlops_client.operator.backups.stack import StackResources

PARTS = f"{OBJECTS}.parts"
"""The objects that are there already, of a backup that is not whole."""
OWN = ("backups/", "platform/", "pushes/")
"""What a stack writes for itself, or for some days only."""
GRANTS = "serving/_access.json"
"""What the keys of a stack may ask predict. A restored stack has keys of its own."""
OF_A_NEW_STACK = ("history/",)
"""What also a stack has that nobody has used."""
_PARALLEL = 16
_AHEAD = 64
_BLOCK = 1 << 20


class Objects:
    """The objects of a stack's bucket."""

    def __init__(self, stack: StackResources) -> None:
        from botocore.config import Config

        self._bucket = stack.bucket
        self._s3: Any = aws.session().client("s3", config=Config(max_pool_connections=_PARALLEL))

    def save(self, folder: Path) -> tuple[int, int, str]:
        """Copy the objects into a folder. What an interrupted backup has copied already stays.

        Returns:
            How many there are, their size, and the SHA-256 of their list.
        """
        there = {
            (each.key, each.version_id): each
            for each in read_objects(folder / PARTS)
            if (folder / each.file).is_file() and (folder / each.file).stat().st_size == each.size
        }
        saved: list[StoredObject] = []
        parts = folder / PARTS
        write_whole(parts, map(json_line_of, there.values()))
        with ThreadPoolExecutor(_PARALLEL) as pool, parts.open("ab", buffering=0) as noted:
            for batch in _batches(self._latest()):
                known = [there[version] for version in batch if version in there]
                for each in pool.map(lambda version: self._copied(folder, *version), set(batch) - there.keys()):
                    noted.write(json_line_of(each))
                    known.append(each)
                saved += known
        saved.sort(key=lambda each: each.key)
        sha256 = write_whole(folder / OBJECTS, map(json_line_of, saved))
        return len(saved), sum(each.size for each in saved), sha256

    def in_use(self) -> list[str]:
        """Return the folders of the bucket that only a stack in use has, for people."""
        answer = self._s3.list_objects_v2(Bucket=self._bucket, Delimiter="/")
        tops = [each["Prefix"] for each in answer.get("CommonPrefixes", [])] + [
            each["Key"] for each in answer.get("Contents", [])
        ]
        expected = (*OWN, *OF_A_NEW_STACK)
        return [
            f"objects in s3://{self._bucket}/{top}"
            for top in tops
            if top not in expected and any(key != GRANTS for key, _ in self._listed(top))
        ]

    def restore(self, folder: Path) -> None:
        """Write the objects of a backup. Those that are there with the same content stay."""
        there = dict(self._listed(""))

        def write(each: StoredObject) -> None:
            found = there.get(each.key)
            if found is not None and found["ETag"].strip('"') == _md5(folder / each.file):
                return
            more: dict[str, Any] = {"ContentType": each.content_type, "Metadata": each.metadata}
            if each.tags:
                more["Tagging"] = urlencode(each.tags)
            self._s3.upload_file(str(folder / each.file), self._bucket, each.key, ExtraArgs=more)

        with ThreadPoolExecutor(_PARALLEL) as pool:
            for batch in _batches(read_objects(folder / OBJECTS)):
                list(pool.map(write, batch))

    def missing(self, folder: Path) -> int:
        """Return how many objects of a backup the bucket does not have, or not with their size."""
        sizes = {key: each["Size"] for key, each in self._listed("")}
        return sum(sizes.get(each.key) != each.size for each in read_objects(folder / OBJECTS))

    def _latest(self) -> Iterator[tuple[str, str]]:
        """Yield key and version id of the latest version of each object."""
        for page in self._s3.get_paginator("list_object_versions").paginate(Bucket=self._bucket):
            for each in page.get("Versions", []):
                key = str(each["Key"])
                if each["IsLatest"] and not key.startswith(OWN) and key != GRANTS:
                    yield key, str(each["VersionId"])

    def _listed(self, prefix: str) -> Iterator[tuple[str, dict[str, Any]]]:
        for page in self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix):
            for each in page.get("Contents", []):
                yield str(each["Key"]), each

    def _copied(self, folder: Path, key: str, version_id: str) -> StoredObject:
        answer = self._s3.get_object(Bucket=self._bucket, Key=key, VersionId=version_id)
        sha256, size = _store(folder, answer["Body"].iter_chunks(_BLOCK))
        tags: dict[str, str] = {}
        if answer.get("TagCount"):
            tagging = self._s3.get_object_tagging(Bucket=self._bucket, Key=key, VersionId=version_id)
            tags = {each["Key"]: each["Value"] for each in tagging["TagSet"]}
        content_type = answer.get("ContentType", "binary/octet-stream")
        return StoredObject(key, version_id, sha256, size, content_type, answer.get("Metadata", {}), tags)


def json_line_of(each: StoredObject) -> bytes:
    return json_line(vars(each))


def _store(folder: Path, blocks: Iterator[bytes]) -> tuple[str, int]:
    """Write a content to the place that its hash names, and return hash and size."""
    part = folder / CONTENTS / f"{uuid.uuid4().hex}.part"
    part.parent.mkdir(parents=True, exist_ok=True)
    digest, size = hashlib.sha256(), 0
    try:
        with part.open("wb") as file:
            for block in blocks:
                file.write(block)
                digest.update(block)
                size += len(block)
            file.flush()
            os.fsync(file.fileno())
        place = folder / CONTENTS / digest.hexdigest()[:2] / digest.hexdigest()
        place.parent.mkdir(exist_ok=True)
        part.replace(place)
    finally:
        part.unlink(missing_ok=True)
    return digest.hexdigest(), size


def _md5(path: Path) -> str:
    digest = hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _batches(entries: Iterator[Any]) -> Iterator[list[Any]]:
    """Yield some at a time, so that a bucket with millions of objects does not become as many tasks."""
    while batch := list(itertools.islice(entries, _AHEAD)):
        yield batch
