"""Convert the numbers of a request to the model's input, float32 `[n, features]`."""

import binascii
from collections.abc import Sequence
from typing import Any

import numpy as np

from mlops.domain.errors import ValidationFailed
from mlops.domain.model_description import ModelInput
from predict.decoding import PNG_SIGNATURE
from predict.request import BATCH, Request, refuse_other_than_numbers

FLOAT32_MAX = float(np.finfo(np.float32).max)
SCALE_REMEDY = 'set scale to the value of the brightest pixel, for example "scale": 255'
"""What to do about pixels beyond the scale. Not every route has one."""
_IMAGES = ("image", "images")
_UINT64, _FLOAT32 = np.dtype(np.uint64), np.dtype(np.float32)
_BITS: dict[float, int] = {scale: int(np.float64(scale).view(np.uint64)) for scale in (1, 255)}


def inputs_of(request: Request, expected: ModelInput) -> np.ndarray:
    """Return the model's input, float32 `[n, features]`. Pixels are divided by the request's scale, to 0..1.

    Raises:
        ValidationFailed: A number is missing, not a number or out of range, or there are too many. Names the field.
    """
    source, value = request.source, request.value
    are_pixels = source in _IMAGES
    if not are_pixels:
        if source == "image_base64":
            return _from_base64(value, expected)
        if expected.image and source in ("inputs", "inputs_list"):
            raise ValidationFailed.of_field(
                source, f"this model takes images of {_size(expected)} pixels; send image or images instead"
            )
    numbers = value if type(value) is np.ndarray else _numbers_of(source, value, expected)
    if numbers.shape[1] != expected.features:
        raise _wrong_length(f"{source}.0" if source in BATCH.sources else source, numbers.shape[1], expected)
    if are_pixels:
        return _pixels(numbers, request)
    if not np.abs(numbers).max() <= FLOAT32_MAX:
        raise _beyond_float32(source)
    return numbers.astype(np.float32)


def beyond_the_model(source: str) -> ValidationFailed:
    """Return the error for numbers so large that the model's arithmetic overflows."""
    return ValidationFailed.of_field(
        source, "the model has no finite answer to these numbers; send numbers like those that it was trained on"
    )


def _numbers_of(source: str, value: Sequence[Any], expected: ModelInput) -> np.ndarray:
    """Return float64 `[n, features]` from JSON lists, which are nested if they are images."""
    if source in ("row", "rows"):
        instead = "image or images" if expected.image else "inputs or inputs_list"
        raise ValidationFailed.of_field(source, f"this model has no named columns; send {instead} instead")
    batch = source in BATCH.sources
    flat: list[list[Any]] = []
    for index, row in enumerate(value if batch else (value,)):
        field = f"{source}.{index}" if batch else source
        numbers = row
        if source in _IMAGES and type(row[0]) is list:
            numbers = _flat(row, field, expected)
        if len(numbers) != expected.features:
            raise _wrong_length(field, len(numbers), expected)
        if not {*map(type, numbers)} <= {int, float}:
            refuse_other_than_numbers(field, row)
            raise ValidationFailed.of_field(field, "must be numbers, or rows of numbers for an image")
        flat.append(numbers)
    try:
        return np.array(flat, np.float64)
    except OverflowError:
        raise _beyond_float32(source) from None


def _flat(rows: list[Any], field: str, expected: ModelInput) -> list[Any]:
    """Return a nested image as a flat list, row by row."""
    columns = expected.image[1] if expected.image else len(rows[0])
    if expected.image and len(rows) != expected.image[0]:
        raise ValidationFailed.of_field(field, f"has {len(rows)} rows; this model takes {_size(expected)} pixels")
    flat: list[Any] = []
    for index, row in enumerate(rows):
        if type(row) is not list or len(row) != columns:
            raise ValidationFailed.of_field(f"{field}.{index}", f"must be a row of {columns} numbers")
        flat += row
    return flat


def _pixels(numbers: np.ndarray, request: Request) -> np.ndarray:
    scale = request.scale
    bits = _BITS.get(scale) or int(np.float64(scale).view(np.uint64))
    # Doubles from 0 up have the same order as their bits, and negative ones have larger bits. So one maximum over the
    # bits shows whether all numbers are within 0..scale. (Negative zero is valid, and takes the slow check.)
    # argmax, because numpy's max uses ufuncs, whose overhead is larger than the comparison itself.
    patterns = numbers.view(_UINT64)
    if not patterns.item(patterns.argmax()) <= bits:
        outside = ~((numbers >= 0) & (numbers <= scale))
        if outside.any():
            row, pixel = (int(index) for index in np.argwhere(outside)[0])
            place = f"{row}.{pixel}" if request.source in BATCH.sources else str(pixel)
            raise ValidationFailed.of_field(
                f"{request.source}.{place}",
                f"pixel {pixel} is {numbers[row, pixel]:g}, outside 0..{scale:g}; {SCALE_REMEDY}",
            )
    return (numbers if scale == 1 else numbers / scale).astype(_FLOAT32)


def _from_base64(text: str, expected: ModelInput) -> np.ndarray:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise ValidationFailed.of_field(
            "image_base64", "must be base64 (standard alphabet, with padding, without line breaks)"
        ) from error
    if data.startswith(PNG_SIGNATURE):
        from predict.png import PngError, decode  # and zlib: most callers send numbers

        try:
            pixels = decode(data, expected.image or expected.features)
        except PngError as error:
            raise ValidationFailed.of_field("image_base64", f"is a PNG that cannot be used: {error}") from error
        return pixels.reshape(1, -1)
    if len(data) != expected.features:
        raise ValidationFailed.of_field(
            "image_base64", f"holds {len(data)} bytes; this model takes {expected.features} bytes, or a PNG"
        )
    return np.frombuffer(data, np.uint8).astype(np.float32).reshape(1, -1) / np.float32(255)


def _size(expected: ModelInput) -> str:
    return "x".join(str(side) for side in expected.image or ())


def _wrong_length(field: str, length: int, expected: ModelInput) -> ValidationFailed:
    return ValidationFailed.of_field(field, f"has {length} numbers; this model takes {expected.features}")


def _beyond_float32(source: str) -> ValidationFailed:
    return ValidationFailed.of_field(source, f"has a number that float32 cannot hold; send at most {FLOAT32_MAX:.5g}")
