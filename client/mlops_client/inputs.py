"""Turns what a caller has (ids; arrays, nested lists, bytes of a PNG) into what a request takes."""

from __future__ import annotations

import base64
import re
from typing import Any

from mlops_client.errors import BadInput

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


def checked_id(identifier: str, kind: str) -> str:
    """A job's or sweep's id, which goes into a path. Raises BadInput: it is of another form."""
    if not re.fullmatch(rf"{kind}_[0-9]{{6,}}", identifier):
        raise BadInput(f"{identifier!r} is no {kind}'s id, such as {kind}_000042")
    return identifier


def image_fields(image: Any, scale: float | None = None) -> dict[str, Any]:
    """The request's fields for one image.

    `image` is a numpy array or nested list, `[rows, columns]` or flat, or the bytes of a PNG. Integer arrays of numpy
    (uint8) run to 255; everything else to `scale`, 1 unless given.

    Raises BadInput.
    """
    if isinstance(image, bytes | bytearray):
        if not bytes(image).startswith(PNG_SIGNATURE):
            raise BadInput("these bytes are no PNG; give an array of pixels instead")
        return {"image_base64": base64.b64encode(image).decode()}
    fields: dict[str, Any] = {"image": plain(image)}
    if (found := scale_of(image, scale)) is not None:
        fields["scale"] = found
    return fields


def scale_of(image: Any, scale: float | None) -> float | None:
    """The caller's scale, else 255 for an array of whole numbers; None stands for the API's own 1."""
    if scale is not None:
        return scale
    kind = getattr(getattr(image, "dtype", None), "kind", "")
    return 255 if kind in ("u", "i") else None


def plain(values: Any) -> Any:
    """Arrays (numpy's, torch's, array.array) as nested lists of plain numbers. Raises BadInput."""
    if hasattr(values, "tolist"):
        values = values.tolist()
    if isinstance(values, tuple | range):
        values = list(values)
    if not isinstance(values, list):
        raise BadInput(f"{type(values).__name__} is neither an array nor a list of numbers")
    return [plain(each) if _is_row(each) else _number(each) for each in values]


def _is_row(value: Any) -> bool:
    # A single number of numpy's or torch's has tolist() too, but no dimensions.
    return isinstance(value, list | tuple) or bool(getattr(value, "shape", ()))


def _number(value: Any) -> float:
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise BadInput(f"{value!r} is not a number")
    return value
