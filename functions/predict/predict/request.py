"""Read an event's body, as strictly as the published schema (`mlops.api.schemas.predict`).

The common request, a flat list of numbers or a batch of them, is decoded directly to an array (`decoding`). Any other
body is decoded by orjson and checked field by field, so that the error names the field.

All of this takes time in proportion to the body, which may have up to 4 MiB.
"""

import binascii
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, NamedTuple

import orjson

from mlops.domain.errors import FieldError, PayloadTooLarge, ValidationFailed
from mlops.domain.model_name import RULE, is_servable
from predict import decoding

MAX_BODY_BYTES = 4 << 20
MAX_BATCH = 100
MAX_ROWS = 1000
"""Rows of named columns per request. They are smaller than images."""
MAX_SCALE = 65535
MAX_ERRORS = 5
MAX_NAME = 40
"""Characters of an unknown field's name that an error repeats."""
MAX_DIGITS = 10
"""Of a version's number."""
VERSION_RULE = "must be the number of a version of the model, such as 7"
MAX_DEPTH = 2
"""Lists within a field's own list that may hold numbers: the images of a batch, and the rows of an image."""
OPTIONS = ("scale", "model_name", "version")
_OPTION_NAMES = frozenset(OPTIONS)
_KINDS = {bool: "a boolean", str: "a string", dict: "an object", list: "a list", type(None): "null"}


class Fields:
    """The fields of a route's body: exactly one of `sources`, and any of `options`. `most_rows` limits a batch.

    `lists` are those sources that hold numbers in lists.
    """

    def __init__(self, sources: tuple[str, ...], lists: tuple[str, ...], most_rows: int | None = None) -> None:
        self.sources, self.lists, self.options, self.most_rows = sources, lists, OPTIONS, most_rows
        self.known = frozenset((*sources, *OPTIONS))


SINGLE = Fields(("image", "image_base64", "inputs", "row"), lists=("image", "inputs"))
BATCH = Fields(("images", "inputs_list", "rows"), lists=("images", "inputs_list"), most_rows=MAX_BATCH)


class Request(NamedTuple):
    """A body that is valid as far as can be checked without the model."""

    source: str
    value: Any  # the numbers as float64 [n, k] if the body was decoded to an array, else the field's JSON value
    scale: float
    model_name: str
    version: int | None = None  # the only one that may answer; None is the one in the stage


def header_of(event: dict[str, Any], name: str) -> str:
    """Return a header by its lower-case name; empty if the request does not have it."""
    headers = event.get("headers") or {}
    return next((value for key, value in headers.items() if key.lower() == name), "")


def text_of(event: dict[str, Any]) -> str:
    """Return the event's body as API Gateway hands it over.

    Raises:
        PayloadTooLarge: The body has more than `MAX_BODY_BYTES`.
        ValidationFailed: The body is not UTF-8.
    """
    body: str = event.get("body") or ""
    if event.get("isBase64Encoded"):
        if len(body) > 2 * MAX_BODY_BYTES:
            raise _too_large()
        try:
            body = binascii.a2b_base64(body).decode()
        except ValueError as error:
            raise ValidationFailed.of_field("body", "must be JSON in UTF-8") from error
    if len(body) > MAX_BODY_BYTES or (not body.isascii() and len(body.encode(errors="replace")) > MAX_BODY_BYTES):
        raise _too_large()
    return body


def query_of(event: dict[str, Any]) -> dict[str, str]:
    """Return the parameters of the query. Raises ValidationFailed: one has several values."""
    from mlops.api.parameters import refuse_several  # few requests have a query

    refuse_several(event.get("multiValueQueryStringParameters") or {})
    return dict(event.get("queryStringParameters") or {})


def explain_of(event: dict[str, Any]) -> str | None:
    """Return what the parameter `explain` asks for, `true` or a label; None if nothing is to be explained."""
    asked = query_of(event).get("explain") if event.get("queryStringParameters") else None
    return None if asked in (None, "", "false") else asked


def only_rows_are_explained() -> ValidationFailed:
    """Return the error for an input that has no columns."""
    return ValidationFailed.of_field("explain", "only answers to row or rows are explained; leave it out")


def parse(body: str, fields: Fields, default_model: str) -> Request:
    """Decode the body and check its fields.

    Raises:
        ValidationFailed: The body is not valid. Names each invalid field.
    """
    decoded = decoding.decode(body, fields.lists, fields.most_rows, len(fields.known))
    if decoded is not None:
        source, numbers, options = decoded
        if not options or (options.keys() <= _OPTION_NAMES and not _wrong_options(options, source)):
            return _request(source, numbers, options, default_model)
    return _parse_carefully(body, fields, default_model)


def object_of(body: str) -> dict[str, Any]:
    """Decode a JSON object. Raises ValidationFailed: the body is something else."""
    try:
        document = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise ValidationFailed.of_field(
            "body", "must be one JSON object; NaN and infinities are not JSON, and numbers must fit a double"
        ) from error
    if type(document) is not dict:
        raise ValidationFailed.of_field("body", "must be a JSON object")
    return document


def refuse_other_than_numbers(field: str, value: Sequence[Any], depth: int = MAX_DEPTH) -> None:
    """Refuse a list with entries that are not JSON numbers, apart from lists of them up to a depth.

    Raises:
        ValidationFailed: Names the first of them.
    """
    if errors := list(islice(_other_than_numbers(field, value, depth), MAX_ERRORS)):
        raise ValidationFailed.of_fields(errors)


def _request(source: str, value: Any, options: dict[str, Any], default_model: str) -> Request:
    version = options.get("version")
    number = int(version) if version is not None else None
    return Request(source, value, options.get("scale", 1), options.get("model_name", default_model), number)


def _parse_carefully(body: str, fields: Fields, default_model: str) -> Request:
    document = object_of(body)
    names = [*document]
    if len(names) == 1 and names[0] in fields.sources:
        source, options = names[0], decoding.NO_OPTIONS
    else:
        options = document
        source, errors = _source(document, fields)
        errors += _wrong_options(document, source)
        if errors:
            raise ValidationFailed.of_fields(errors, MAX_ERRORS)
    value = document[source]
    strings = len(names) + _option_strings(options)
    if source in ("row", "rows"):
        _check_rows(source, value, body, strings)
    else:
        _check_source(source, value)
        # A JSON string has two quotation marks. Names and string fields account for all of them only if no name is
        # repeated (the decoder silently keeps the last one) and no string is in place of a number.
        if body.count('"') != 2 * (strings + (type(value) is str)):
            if type(value) is not str:
                refuse_other_than_numbers(source, value)
            raise ValidationFailed.of_field(
                "body", "has the same field twice, or an escaped quotation mark; send each field once, without escapes"
            )
    return _request(source, value, options, default_model)


def _source(document: dict[str, Any], fields: Fields) -> tuple[str, list[FieldError]]:
    """Return the field with the input, and the errors in the names of the fields."""
    sent = [name for name in fields.sources if name in document]
    errors: list[FieldError] = []
    if not document.keys() <= fields.known:
        known = ", ".join((*fields.sources, *fields.options))
        unknown = islice((name for name in document if name not in fields.known), MAX_ERRORS)
        errors = [(_printable(name), f"is not a field of this request; the fields are {known}") for name in unknown]
    if len(sent) != 1:
        errors.append((sent[-1] if sent else fields.sources[0], f"send exactly one of {', '.join(fields.sources)}"))
    return (sent[0] if sent else ""), errors


def _wrong_options(document: dict[str, Any], source: str) -> list[FieldError]:
    errors = []
    if "scale" in document:
        scale = document["scale"]
        if type(scale) not in (int, float) or not 0 < scale <= MAX_SCALE:
            errors.append(("scale", f"must be a number above 0 and at most {MAX_SCALE}"))
        elif source not in ("image", "images"):
            errors.append(("scale", "is only allowed with image or images; leave it out"))
    if "model_name" in document:
        name = document["model_name"]
        if type(name) is not str or not is_servable(name):
            errors.append(("model_name", RULE))
    if "version" in document and version_of(document["version"]) is None:
        errors.append(("version", VERSION_RULE))
    return errors


def version_of(value: Any) -> int | None:
    """Return the version that a JSON value or a parameter names, such as 7 or "7"; None if it names none."""
    if type(value) is str and len(value) <= MAX_DIGITS and value.isascii() and value.isdigit():
        value = int(value)
    return value if type(value) is int and 1 <= value < 10**MAX_DIGITS else None


def _option_strings(options: dict[str, Any]) -> int:
    """Return how many of the options have a string."""
    return ("model_name" in options) + (type(options.get("version")) is str) if options else 0


def _check_source(source: str, value: Any) -> None:
    if source == "image_base64":
        if type(value) is not str:
            raise ValidationFailed.of_field(source, "must be a base64 string")
        return
    if type(value) is not list or not value:
        raise ValidationFailed.of_field(source, "must be a list that is not empty")
    if source in BATCH.sources:
        if len(value) > MAX_BATCH:
            raise ValidationFailed.of_field(source, f"has {len(value)} entries; send at most {MAX_BATCH} per request")
        for index, row in enumerate(value):
            if type(row) is not list or not row:
                raise ValidationFailed.of_field(f"{source}.{index}", "must be a list that is not empty")


def _check_rows(source: str, value: Any, body: str, strings: int) -> None:
    """Refuse what is not one row or a list of rows, or has a name twice. The body has `strings` outside of them."""
    rows = value if source == "rows" else [value]
    if type(rows) is not list or not rows:
        raise ValidationFailed.of_field(source, "must be a list that is not empty")
    if len(rows) > MAX_ROWS:
        raise ValidationFailed.of_field(source, f"has {len(rows)} entries; send at most {MAX_ROWS} per request")
    nested = False
    # Brackets beyond those of the rows are within strings, or nested.
    maybe_nested = body.count("{") > 1 + len(rows) or body.count("[") > (source == "rows")
    for index, row in enumerate(rows):
        if type(row) is not dict:
            field = f"rows.{index}" if source == "rows" else source
            raise ValidationFailed.of_field(field, f"must be an object of columns, not {_kind(row)}")
        kinds = [*map(type, row.values())]
        nested |= maybe_nested and (dict in kinds or list in kinds)
        strings += len(row) + kinds.count(str)
    if nested:
        return  # no column takes a list or an object, and the model's contract names the column
    refuse_repeated_names(body, strings)


def refuse_repeated_names(body: str, strings: int) -> None:
    """Refuse a body whose decoded document has fewer strings, names included, than the body has.

    The decoder keeps the last of two values of a name. Unlike in `_parse_carefully`, strings may have escaped
    quotation marks.

    Raises:
        ValidationFailed: It has.
    """
    escaped = body.replace("\\\\", "").count('\\"') if "\\" in body else 0
    if body.count('"') - escaped != 2 * strings:
        raise ValidationFailed.of_field("body", "has the same name twice in an object; send each field and column once")


def _kind(value: Any) -> str:
    return _KINDS.get(type(value), "a number")


def _other_than_numbers(field: str, entries: Sequence[Any], depth: int) -> Iterator[FieldError]:
    """Yield errors in the order of the document, with little memory: a body may have a million lists."""
    for index, entry in enumerate(entries):
        kind = type(entry)
        if kind is list and depth:
            yield from _other_than_numbers(f"{field}.{index}", entry, depth - 1)
        elif kind is not float and kind is not int:
            yield f"{field}.{index}", f"must be a number, not {_KINDS[kind]}"


def is_printable(name: str) -> bool:
    """Return whether an error can repeat the name of a field that the caller chose."""
    return len(name) <= MAX_NAME and name.isprintable()


def _printable(name: str) -> str:
    return name if is_printable(name) else "body"


def _too_large() -> PayloadTooLarge:
    return PayloadTooLarge(MAX_BODY_BYTES, "send fewer inputs per request")
