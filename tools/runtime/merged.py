"""Functions with their layers inside, for emulators that mount no layers, such as LocalStack Community."""

import hashlib
import io
import zipfile
from collections.abc import Mapping
from typing import Any

from tools.runtime.functions import Artifact

_EPOCH = (1980, 1, 1, 0, 0, 0)


def with_layers_inside(
    template: Mapping[str, Any], functions: Mapping[str, Artifact], bucket: str
) -> tuple[dict[str, Any], dict[str, bytes]]:
    """Return the packaged template without its layers, and the archives of the functions by S3 key.

    Args:
        template: The template as `infra.local.packaging.package` returns it.
        functions: The functions with their built layers, by the name of their folder.
        bucket: Where the archives will be.
    """
    by_id = {each.logical_id: each for each in functions.values()}
    resources, archives = dict(template["Resources"]), dict[str, bytes]()
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::LayerVersion":
            del resources[name]
        elif name in by_id:
            content = archive(by_id[name])
            key = f"{hashlib.sha256(content).hexdigest()}.zip"
            archives[key] = content
            properties = {field: value for field, value in resource["Properties"].items() if field != "Layers"}
            resources[name] = {**resource, "Properties": {**properties, "CodeUri": f"s3://{bucket}/{key}"}}
    return {**template, "Resources": resources}, archives


def archive(function: Artifact) -> bytes:
    """Return a zip of a function's folder and of what its layers have in `python/`, which are on one path."""
    buffer, written = io.BytesIO(), set[str]()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as made:
        for folder in (function.folder, *(layer / "python" for layer in function.layers)):
            for path in sorted(folder.rglob("*")):
                name = path.relative_to(folder).as_posix()
                if path.is_file() and "__pycache__" not in path.parts and name not in written:
                    written.add(name)
                    entry = zipfile.ZipInfo(name, _EPOCH)
                    entry.external_attr = 0o644 << 16
                    entry.compress_type = zipfile.ZIP_DEFLATED
                    made.writestr(entry, path.read_bytes(), compresslevel=1)
    return buffer.getvalue()
