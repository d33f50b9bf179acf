"""A request that a model answers: as JSON, for curl and for the Python client."""

import binascii
import shlex
import struct
import zlib
from typing import Any

import orjson

from mlops.domain.manifest import Manifest
from mlops.inference.table_rows import example_row
from predict.decoding import PNG_SIGNATURE


def example_of(manifest: Manifest) -> dict[str, Any]:
    """Return a body of POST /predict, and the same request for curl and for Python."""
    staging = manifest.stage == "Staging"
    document, argument = _body(manifest)
    document["model_name"] = manifest.model_name
    body = shlex.quote(orjson.dumps(document).decode())
    route = "/predict/staging" if staging else "/predict"
    options = f", model_name={manifest.model_name!r}" + (", staging=True" if staging else "")
    return {
        "request": document,
        "curl": f'curl -H "x-api-key: $MLOPS_API_KEY" -d {body} "$MLOPS_API_URL{route}"',
        "python": f"from mlops_client import Client\n\nClient().predict({argument}{options})",
    }


def _body(manifest: Manifest) -> tuple[dict[str, Any], str]:
    """Return the input in the body, and the argument of the Python client."""
    if manifest.contract is not None:
        row = example_row(manifest.contract)
        return {"row": row}, f"row={row!r}"
    assert manifest.input is not None
    if manifest.input.image:
        rows, columns = manifest.input.image
        return {"image_base64": _black(rows, columns)}, f"[[0.0] * {columns}] * {rows}"
    features = manifest.input.features
    return {"inputs": [0.0] * features}, f"inputs=[0.0] * {features}"


def _black(rows: int, columns: int) -> str:
    """Return a black PNG in grey, base64."""
    header = struct.pack(">IIBBBBB", columns, rows, 8, 0, 0, 0, 0)
    pixels = zlib.compress(bytes(rows * (1 + columns)))
    chunks = b"".join(_chunk(kind, data) for kind, data in ((b"IHDR", header), (b"IDAT", pixels), (b"IEND", b"")))
    return binascii.b2a_base64(PNG_SIGNATURE + chunks, newline=False).decode()


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
