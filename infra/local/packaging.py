"""The template with its code uploaded: what `sam package` does, for folders that need no build on this machine."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.local.errors import LocalStackError

# Where each type of resource names its folder.
_CODE = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}
_SKIPPED = frozenset({"__pycache__", ".aws-sam", ".mypy_cache", ".ruff_cache", ".pytest_cache", ".DS_Store"})
# The oldest time a zip can hold: an unchanged folder gives an unchanged archive.
_EPOCH = (1980, 1, 1, 0, 0, 0)


def read_template(path: Path) -> dict[str, Any]:
    """A SAM template as plain data, CloudFormation's short forms spelled out."""
    from samtranslator.yaml_helper import yaml_parse

    try:
        template = yaml_parse(path.read_text())
    except FileNotFoundError:
        raise LocalStackError(f"{path} is missing: run from a checkout of the platform") from None
    except Exception as error:
        raise LocalStackError(f"{path} cannot be read: {' '.join(str(error).split())}") from error
    plain: dict[str, Any] = json.loads(json.dumps(template, default=str))
    return plain


def package(template: Mapping[str, Any], root: Path, bucket: str) -> tuple[dict[str, Any], dict[str, bytes]]:
    """The template with its folders replaced by S3 addresses, and the archives by S3 key.

    A key is the archive's hash, so that a function is replaced only when its code has changed.
    """
    packaged: dict[str, Any] = json.loads(json.dumps(template))
    archives: dict[str, bytes] = {}
    for name, resource in packaged["Resources"].items():
        field = _CODE.get(resource.get("Type"))
        folder = resource.get("Properties", {}).get(field) if field else None
        if not isinstance(folder, str) or folder.startswith("s3://"):
            continue
        path = root / folder
        if not path.is_dir():
            raise LocalStackError(f"template.yaml: {name}'s {field} {folder} is not a folder")
        archive = zip_folder(path, layer=field == "ContentUri")
        key = f"{hashlib.sha256(archive).hexdigest()}.zip"
        archives[key] = archive
        resource["Properties"][field] = f"s3://{bucket}/{key}"
        # Nothing is built here; the packages a build would add come from this Python's own environment.
        resource.pop("Metadata", None)
    return packaged, archives


def zip_folder(folder: Path, *, layer: bool = False) -> bytes:
    """The files of a folder as a zip that depends on nothing but them; of a layer, only what lies in `python/`."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for path in _files(folder / "python" if layer else folder):
            _add(archive, path.relative_to(folder).as_posix(), path.read_bytes())
        if not archive.namelist():
            # A layer of third-party packages alone; a zip has to hold something.
            _add(archive, "python/README", b"The packages come from the environment the stack runs in.\n")
    return buffer.getvalue()


def _add(archive: zipfile.ZipFile, name: str, content: bytes) -> None:
    entry = zipfile.ZipInfo(name, _EPOCH)
    entry.external_attr = 0o644 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    archive.writestr(entry, content)


def _files(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        parts = path.relative_to(folder).parts
        if path.is_file() and path.suffix != ".pyc" and not _SKIPPED.intersection(parts):
            yield path
