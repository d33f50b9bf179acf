"""Converts values of the caller (IDs, arrays, nested lists, the bytes of a PNG) to fields of a request."""

from __future__ import annotations

import base64
import math
import re
from pathlib import Path
from typing import Any

from mlops_client.errors import BadInput

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
WHOLE_NUMBERS = frozenset({"batch_size", "epochs", "hidden_size"})
"""Hyperparameters that have to be whole numbers."""


def checked_id(identifier: str, kind: str) -> str:
    """Return the ID of a job or sweep, which becomes part of a path. Raises BadInput: it has another form."""
    if not re.fullmatch(rf"{kind}_[0-9]{{6,}}", identifier):
        raise BadInput(f"{identifier!r} is not a {kind} id, such as {kind}_000042")
    return identifier


def checked_space(space: dict[str, Any] | None) -> dict[str, Any] | None:
    """Return a sweep's space. Raises BadInput: a fraction for a hyperparameter that takes whole numbers."""
    for name in WHOLE_NUMBERS & (space or {}).keys():
        values = (space or {})[name]
        candidates = [values.get("low"), values.get("high")] if isinstance(values, dict) else values
        for value in candidates if isinstance(candidates, list | tuple) else [candidates]:
            if isinstance(value, float) and not value.is_integer():
                raise BadInput(f"{name} takes whole numbers, not {value:g}")
    return space


def image_fields(image: Any, scale: float | None = None) -> dict[str, Any]:
    """Return the request's fields for one image.

    Args:
        image: A numpy array or nested list, `[rows, columns]` or flat; the bytes of a PNG; or the path of a PNG.
        scale: The value of white; by default that of `scale_of`.

    Raises:
        BadInput: It is none of these.
    """
    if isinstance(image, str | Path):
        image = _png_file(image)
    if isinstance(image, bytes | bytearray):
        if not bytes(image).startswith(PNG_SIGNATURE):
            raise BadInput("these bytes are not a PNG; give a PNG, or an array of pixels")
        return {"image_base64": base64.b64encode(image).decode()}
    fields: dict[str, Any] = {"image": plain(image)}
    if (full := scale_of(image, scale)) is not None:
        fields["scale"] = full
    return fields


def scale_of(pixels: Any, scale: float | None = None) -> float | None:
    """Return the value of white: `scale`, or the one for the type of a numpy array.

    For whole numbers it is 255. For an unsigned 16-bit array it is 65535 if a pixel is above 255, because most such
    arrays hold 8-bit images. None stands for the API's default, 1.

    Raises:
        BadInput: The whole numbers have another range.
    """
    if scale is not None:
        return scale
    kind = getattr(getattr(pixels, "dtype", None), "kind", "")
    if kind not in ("u", "i"):
        return None
    least, most = (int(pixels.min()), int(pixels.max())) if pixels.size else (0, 0)
    if least >= 0 and most <= 255:
        return 255
    if pixels.dtype.str.lstrip("<>=|") == "u2":
        return 65535
    raise BadInput(
        f"pixels of {pixels.dtype} run from {least} to {most}: set scale to the value of white, or use 0..255"
    )


def plain(values: Any) -> Any:
    """Return arrays (of numpy, torch, or the array module) and lists as nested lists of numbers.

    Raises:
        BadInput: A value is not a finite number.
    """
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, tuple | range):
        values = list(values)
    if not isinstance(values, list):
        raise BadInput(f"{type(values).__name__} is neither an array nor a list of numbers")
    return [plain(value) if _is_row(value) else _number(value) for value in values]


def _is_row(value: Any) -> bool:
    # A scalar of numpy or torch has tolist() too, but no dimensions.
    return isinstance(value, list | tuple) or bool(getattr(value, "shape", ()))


def _number(value: Any) -> float:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{value!r} is not a number")
    if not math.isfinite(value):
        raise BadInput(f"{value!r} cannot be sent; every number must be finite")
    return value


def _png_file(name: str | Path) -> bytes:
    try:
        content = Path(name).read_bytes()
    except OSError as error:
        raise BadInput(f"{name} cannot be read: {error.strerror}") from None
    if not content.startswith(PNG_SIGNATURE):
        raise BadInput(f"{name} is not a PNG; give a PNG, or an array of pixels")
    return content
