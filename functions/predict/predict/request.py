"""From an event's body to the model's input, as strict as the published schema (`mlops.api.schemas.predict`).

The common request, a flat list of numbers or a batch of them, is decoded straight to an array (`decoding`). What is not
common, or not right, goes the careful way: decoded by orjson, and walked to name the field that is wrong.
"""

import binascii
from collections.abc import Sequence
from itertools import islice
from typing import Any, NamedTuple

import numpy as np
import orjson

from mlops.domain.errors import PayloadTooLarge, ValidationFailed
from mlops.domain.manifest import ModelInput
from mlops.domain.model_name import RULE, is_servable
from predict import decoding
from predict.png import SIGNATURE, PngError, decode

MAX_BODY_BYTES = 4 << 20
MAX_BATCH = 100
MAX_SCALE = 65535
MAX_ERRORS = 5
FLOAT32_MAX = float(np.finfo(np.float32).max)
_BITS: dict[float, int] = {scale: int(np.float64(scale).view(np.uint64)) for scale in (1, 255)}


class Fields:
    """The fields of one route's body: exactly one of `sources`, and any of `options`. A batch has `most_rows`."""

    def __init__(self, sources: tuple[str, ...], options: tuple[str, ...], most_rows: int | None = None) -> None:
        self.sources, self.options, self.most_rows = sources, options, most_rows
        self.known = frozenset((*sources, *options))


SINGLE = Fields(sources=("image", "image_base64", "inputs"), options=("scale", "model_name"))
BATCH = Fields(sources=("images", "inputs_list"), options=("scale", "model_name"), most_rows=MAX_BATCH)


class Request(NamedTuple):
    """A body whose shape is right as far as that can be said without the model."""

    source: str
    value: Any  # the numbers as an array, float64 [n, k]; or what stands in the body, if it went the careful way
    scale: float
    model_name: str


def text_of(event: dict[str, Any]) -> str:
    """The event's body as API Gateway hands it over.

    Raises:
        PayloadTooLarge, ValidationFailed: see there.
    """
    body: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        if len(body) > 2 * MAX_BODY_BYTES:
            raise _too_large()
        try:
            body = binascii.a2b_base64(body).decode()
        except ValueError as error:
            raise _invalid("body", "must be JSON in UTF-8") from error
    if len(body) > MAX_BODY_BYTES or (not body.isascii() and len(body.encode(errors="replace")) > MAX_BODY_BYTES):
        raise _too_large()
    return body


def parse(body: str, fields: Fields, default_model: str) -> Request:
    """Decode the body and check its fields.

    Raises:
        ValidationFailed: names each field that is wrong.
    """
    decoded = decoding.decode(body, fields.sources, fields.most_rows)
    if decoded is not None:
        source, numbers, options = decoded
        if not options:
            return Request(source, numbers, 1, default_model)
        if options.keys() <= fields.known and not _wrong_options(options, source):
            return _request(source, numbers, options, default_model)
    return _parse_carefully(body, fields, default_model)


def _request(source: str, value: Any, document: dict[str, Any], default_model: str) -> Request:
    return Request(source, value, document.get("scale", 1), document.get("model_name", default_model))


def _parse_carefully(body: str, fields: Fields, default_model: str) -> Request:
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise _invalid("body", "must be one JSON object (NaN and infinities are not JSON)") from error
    if type(document) is not dict:
        raise _invalid("body", "must be a JSON object")
    source, errors = _source(document, fields)
    errors += _wrong_options(document, source)
    if errors:
        raise ValidationFailed(_detail(errors), errors=_listed(errors))
    value = document[source]
    _check_source(source, value)
    # A JSON string needs two quotation marks. Names and string fields account for all of them only if no name stands
    # twice (the decoder keeps the last one silently) and no string stands where a number is due.
    strings = len(document) + (type(value) is str) + ("model_name" in document)
    if body.count('"') != 2 * strings:
        if type(value) is not str:
            _refuse_other_than_numbers(source, value)
        raise _invalid("body", "has a field twice, or an escaped quotation mark")
    return _request(source, value, document, default_model)


def inputs_of(request: Request, expected: ModelInput) -> np.ndarray:
    """The model's input, float32 `[n, features]`; pixels are brought to 0..1.

    Raises:
        ValidationFailed: names the number that is missing, too many, not a number or out of range.
    """
    source, value = request.source, request.value
    if expected.image and source in ("inputs", "inputs_list"):
        raise _invalid(source, f"this model takes images of {_size(expected)} pixels: send image or images instead")
    if source == "image_base64":
        return _from_base64(value, expected)
    batch = source in BATCH.sources
    numbers = value if type(value) is np.ndarray else _numbers_of(source, value if batch else (value,), batch, expected)
    if numbers.shape[1] != expected.features:
        raise _wrong_length(f"{source}.0" if batch else source, numbers.shape[1], expected)
    if source in ("image", "images"):
        return _pixels(numbers, request, batch)
    if not np.abs(numbers).max() <= FLOAT32_MAX:
        raise _invalid(source, "has a number that float32 cannot hold")
    return numbers.astype(np.float32)


def beyond_the_model(source: str) -> ValidationFailed:
    """The numbers are numbers, but the model's arithmetic overflows on them."""
    return _invalid(source, "has numbers far beyond what the model was trained on; it has no finite answer")


def _numbers_of(source: str, rows: Sequence[Any], batch: bool, expected: ModelInput) -> np.ndarray:
    """float64 `[n, features]` of JSON lists, nested if they are images."""
    flat: list[list[Any]] = []
    for index, row in enumerate(rows):
        field = f"{source}.{index}" if batch else source
        given = row
        if source in ("image", "images") and type(row[0]) is list:
            row = _flat(row, field, expected)
        if len(row) != expected.features:
            raise _wrong_length(field, len(row), expected)
        if not {*map(type, row)} <= {int, float}:
            _refuse_other_than_numbers(field, given)
            raise _invalid(field, "must be numbers, or rows of numbers for an image")
        flat.append(row)
    try:
        return np.array(flat, np.float64)
    except OverflowError:
        raise _invalid(source, "has a number that float32 cannot hold") from None


def _source(document: dict[str, Any], fields: Fields) -> tuple[str, list[tuple[str, str]]]:
    given = [name for name in fields.sources if name in document]
    errors: list[tuple[str, str]] = []
    if not document.keys() <= fields.known:
        takes = ", ".join((*fields.sources, *fields.options))
        unknown = islice((name for name in document if name not in fields.known), MAX_ERRORS)
        errors = [(_printable(name), f"is not a field of this request; it takes {takes}") for name in unknown]
    if len(given) != 1:
        errors.append((given[-1] if given else fields.sources[0], f"send exactly one of {', '.join(fields.sources)}"))
    return (given[0] if given else ""), errors


def _wrong_options(document: dict[str, Any], source: str) -> list[tuple[str, str]]:
    errors = []
    if "scale" in document:
        scale = document["scale"]
        if type(scale) not in (int, float) or not 0 < scale <= MAX_SCALE:
            errors.append(("scale", f"must be a number above 0 and at most {MAX_SCALE}"))
        elif source not in ("image", "images"):
            errors.append(("scale", "goes with image or images only"))
    if "model_name" in document:
        name = document["model_name"]
        if type(name) is not str or not is_servable(name):
            errors.append(("model_name", RULE))
    return errors


def _check_source(source: str, value: Any) -> None:
    if source == "image_base64":
        if type(value) is not str:
            raise _invalid(source, "must be a base64 string")
        return
    if type(value) is not list or not value:
        raise _invalid(source, "must be a list that is not empty")
    if source in ("images", "inputs_list"):
        if len(value) > MAX_BATCH:
            raise _invalid(source, f"has {len(value)} entries; at most {MAX_BATCH} go in one request")
        for index, row in enumerate(value):
            if type(row) is not list or not row:
                raise _invalid(f"{source}.{index}", "must be a list that is not empty")


def _flat(rows: list[Any], field: str, expected: ModelInput) -> list[Any]:
    """A nested image, row by row."""
    columns = expected.image[1] if expected.image else len(rows[0])
    if expected.image and len(rows) != expected.image[0]:
        raise _invalid(field, f"has {len(rows)} rows; this model takes {_size(expected)} pixels")
    flat: list[Any] = []
    for index, row in enumerate(rows):
        if type(row) is not list or len(row) != columns:
            raise _invalid(f"{field}.{index}", f"must be a row of {columns} numbers")
        flat += row
    return flat


def _pixels(numbers: np.ndarray, request: Request, batch: bool) -> np.ndarray:
    scale = request.scale
    bits = _BITS.get(scale) or int(np.float64(scale).view(np.uint64))
    # Doubles from 0 up are ordered as their bits are, and negative ones have larger bits than any of them: one maximum
    # over the bits says that all numbers lie within 0..scale. (Negative zero, which is fine, falls to the slow look.)
    # argmax, as numpy's max goes through the machinery of ufuncs, which takes longer than looking at all numbers.
    patterns = numbers.reshape(-1).view(np.uint64)
    if not patterns[patterns.argmax()] <= bits:
        outside = ~((numbers >= 0) & (numbers <= scale))
        if outside.any():
            row, pixel = (int(index) for index in np.argwhere(outside)[0])
            field = f"{request.source}.{row}.{pixel}" if batch else f"{request.source}.{pixel}"
            raise _invalid(
                field,
                f"pixel {pixel} is {numbers[row, pixel]:g}, outside 0..{scale:g}; "
                'the field scale says how far pixels run, for example "scale": 255',
            )
    return (numbers if scale == 1 else numbers / scale).astype(np.float32)


def _from_base64(text: str, expected: ModelInput) -> np.ndarray:
    try:
        data = binascii.a2b_base64(text, strict_mode=True)
    except ValueError as error:
        raise _invalid("image_base64", "is not base64 (standard alphabet, padded, no line breaks)") from error
    if data.startswith(SIGNATURE):
        try:
            pixels = decode(data, expected.image or expected.features)
        except PngError as error:
            raise _invalid("image_base64", f"is a PNG that cannot be used: {error}") from error
        return pixels.reshape(1, -1)
    if len(data) != expected.features:
        raise _invalid("image_base64", f"holds {len(data)} bytes; this model takes {expected.features}, or a PNG")
    return np.frombuffer(data, np.uint8).astype(np.float32).reshape(1, -1) / np.float32(255)


def _refuse_other_than_numbers(field: str, value: Sequence[Any]) -> None:
    """Raises ValidationFailed naming the first entries, at any depth, that are not JSON numbers."""
    errors: list[tuple[str, str]] = []
    pending: list[tuple[str, Sequence[Any]]] = [(field, value)]
    while pending and len(errors) < MAX_ERRORS:
        path, entries = pending.pop(0)
        for index, entry in enumerate(entries):
            if type(entry) is list and path.count(".") - field.count(".") < 2:
                pending.append((f"{path}.{index}", entry))
            elif type(entry) not in (int, float):
                errors.append((f"{path}.{index}", "must be a number, not " + _kind(entry)))
                if len(errors) == MAX_ERRORS:
                    break
    if errors:
        raise ValidationFailed(_detail(errors), errors=_listed(errors))


def _kind(value: Any) -> str:
    return {bool: "a boolean", str: "a string", dict: "an object", list: "a list", type(None): "null"}[type(value)]


def _printable(name: str) -> str:
    return name if name.isprintable() and len(name) <= 40 else "body"


def _size(expected: ModelInput) -> str:
    return "x".join(str(side) for side in expected.image or ())


def _listed(errors: list[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"field": field, "message": message} for field, message in errors[:MAX_ERRORS]]


def _detail(errors: list[tuple[str, str]]) -> str:
    return "; ".join(f"{field}: {message}" for field, message in errors[:MAX_ERRORS])


def _invalid(field: str, message: str) -> ValidationFailed:
    return ValidationFailed(_detail([(field, message)]), errors=_listed([(field, message)]))


def _wrong_length(field: str, length: int, expected: ModelInput) -> ValidationFailed:
    return _invalid(field, f"has {length} numbers; this model takes {expected.features}")


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(f"The body is over {MAX_BODY_BYTES} bytes; send fewer images a request")
