"""The work of reading a body grows as the body does, up to the largest one.

Operations are counted, not timed: executed lines of predict's own code, names that simdjson walks over, and bytes that
zlib copies. The last two stand for work inside libraries, where one line can cost as much as the whole body.
"""

import base64
import itertools
import json
import sys
import zlib
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import numpy as np
import pytest

from predict import decoding, inputs, png, request
from predict.request import MAX_BODY_BYTES
from tests.support.serving import served
from tests.unit.predict.test_png import chunk, png_file

SIZES = (MAX_BODY_BYTES // 256, MAX_BODY_BYTES // 128, MAX_BODY_BYTES // 64)
DECOMPRESSOBJ = zlib.decompressobj
MODEL = served(1).manifest.input
OWN = {module.__file__ for module in (decoding, inputs, png, request)}


def repeated(before: str, part: str, after: str) -> Callable[[int], str]:
    """A body of about so many bytes, most of which are repetitions of `part`."""
    return lambda size: before + part * ((size - len(before) - len(after)) // len(part)) + after


def numbered(before: str, part: str, after: str) -> Callable[[int], str]:
    """As `repeated`, with a number in each part."""

    def body(size: int) -> str:
        count = (size - len(before) - len(after)) // len(part.format(1_000_000))
        return before + "".join(part.format(number) for number in range(1_000_000, 1_000_000 + count)) + after

    return body


def idat_chunks_after_the_end(size: int) -> str:
    whole = chunk(b"IDAT", zlib.compress((b"\0" + bytes(28)) * 28))
    rest = chunk(b"IDAT", bytes(12))
    header = png_file(28, 28, 8, 0, b"")[: 8 + 25]
    data = header + whole + rest * (size * 3 // 4 // len(rest)) + chunk(b"IEND", b"")
    return json.dumps({"image_base64": base64.b64encode(data).decode()})


def small_idat_chunks(size: int) -> str:
    data = png_file(28, 28, 8, 0, b"", *[chunk(b"IDAT", b"")] * (size * 3 // 4 // 12))
    return json.dumps({"image_base64": base64.b64encode(data).decode()})


BODIES = {
    "numbers": repeated('{"image": [', "0,", "0]}"),
    "rows of numbers": repeated('{"images": [[', "0,", "0]]}"),
    "one row for each number": repeated('{"image": [', "[0],", "[0]]}"),
    "empty lists": repeated('{"image": [', "[],", "[]]}"),
    "empty lists, the careful way": repeated('{"model_name": "\\u0061", "image": [', "[],", "[]]}"),
    "lists of lists": repeated('{"model_name": "\\u0061", "image": [', "[[],[]],", "[]]}"),
    "lists of lists of numbers": repeated('{"image": [0, "\\"", ', "[[0],[0]],", "[]]}"),
    "lists in a batch": repeated('{"images": [[0, "\\"", ', "[[0]],", "[]]]}"),
    "objects": repeated('{"image": [', "{},", "{}]}"),
    "nested objects": repeated('{"image": [', '{"a":{"b":[]}},', "{}]}"),
    "strings": repeated('{"image": [', '"a",', '"a"]}'),
    "a string": repeated('{"image": ["', "a", '"]}'),
    "quotation marks": repeated('{"image": ["', '\\"', '"]}'),
    "different names": numbered('{"image": [0], ', '"{}":0,', '"b":0}'),
    "different names, the source last": numbered("{", '"{}":0,', '"image":[0]}'),
    "one name often": repeated("{", '"image":0,', '"image":[0]}'),
    "a long name": repeated('{"image": [0], "', "k", '": 0}'),
    "a long name that is not ASCII": repeated('{"image": [0], "', "é", '": 0}'),
    "a long model name": repeated('{"image": [0], "model_name": "', "m", '"}'),
    "a list as the scale": repeated('{"image": [0], "scale": [', "0,", "0]}"),
    "digits": repeated('{"image": [', "9", "]}"),
    "digits of a fraction": repeated('{"image": [0.', "3", "]}"),
    "spaces": repeated('{"image": [0]', " ", "}"),
    "deep lists": lambda size: '{"image": ' + "[" * (size // 2) + "]" * (size // 2) + "}",
    "base64": repeated('{"image_base64": "', "AAAA", '"}'),
    "PNG data after its end": idat_chunks_after_the_end,
    "empty PNG chunks": small_idat_chunks,
    "columns of a row": numbered('{"row": {', '"{}":0,', '"b":0}}'),
    "rows without columns": repeated('{"rows": [', "{},", "{}]}"),
    "rows of one column": repeated('{"rows": [', '{"a":"b"},', '{"a":"b"}]}'),
    "one column often": repeated('{"row": {', '"a":"b",', '"a":0}}'),
    "lists in a row": repeated('{"row": {"a": [', "[],", "[]]}}"),
    "quotation marks in a row": repeated('{"row": {"a": "', '\\"', '"}}'),
    "backslashes in a row": repeated('{"row": {"a": "', "\\\\", '"}}'),
}
ROUTES = {"single": request.SINGLE, "batch": request.BATCH}


def accepts(body: str, fields: request.Fields) -> bool:
    """Read a body as the handler does."""
    try:
        inputs.inputs_of(request.parse(request.text_of({"body": body}), fields, "m"), MODEL)
    except request.ValidationFailed:
        return False
    return True


class Counter:
    """Operations of one reading."""

    def __init__(self) -> None:
        self.lines = self.names = self.copied = 0

    @property
    def total(self) -> int:
        return self.lines + self.names + self.copied


class Walked:
    """Stands for simdjson's object: to find a name it walks over those before it."""

    counter: Counter

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self._pairs = pairs

    def __len__(self) -> int:
        return len(self._pairs)

    def __iter__(self) -> Iterator[str]:
        for name, _ in self._pairs:
            self.counter.names += 1
            yield name

    def __getitem__(self, wanted: str) -> Any:
        for name, value in self._pairs:
            self.counter.names += 1
            if name == wanted:
                return Numbers(value) if isinstance(value, list) else value
        raise KeyError(wanted)


class Numbers(list[float]):
    """Stands for simdjson's array."""

    def as_buffer(self, *, of_type: str) -> bytes:
        return np.array(self, of_type).tobytes()


class Parser:
    @staticmethod
    def parse(body: str) -> Any:
        return json.loads(body, object_pairs_hook=Walked)


class Inflater:
    """zlib's, which after the end of its data copies what it has not used with each further chunk."""

    counter: Counter

    def __init__(self) -> None:
        self._inflater = DECOMPRESSOBJ()

    @property
    def eof(self) -> bool:
        return self._inflater.eof

    def decompress(self, data: bytes, most: int) -> bytes:
        inflated = self._inflater.decompress(data, most)
        self.counter.copied += len(self._inflater.unused_data) + len(self._inflater.unconsumed_tail)
        return inflated


@pytest.fixture
def count(monkeypatch: pytest.MonkeyPatch) -> Callable[[str, request.Fields], int]:
    """Count the operations that reading a body takes."""

    def count(body: str, fields: request.Fields) -> int:
        counter = Counter()
        monkeypatch.setattr(Walked, "counter", counter, raising=False)
        monkeypatch.setattr(Inflater, "counter", counter, raising=False)

        def local(frame: FrameType, event: str, argument: Any) -> Any:
            counter.lines += event == "line"
            return local

        own: dict[CodeType, bool] = {}

        def trace(frame: FrameType, event: str, argument: Any) -> Any:
            code = frame.f_code
            return local if own.setdefault(code, code.co_filename in OWN) else None

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            accepts(body, fields)
        finally:
            sys.settrace(before)
        return counter.total

    return count


@pytest.fixture
def walked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "Object", Walked)
    monkeypatch.setattr(decoding, "Array", Numbers)
    monkeypatch.setattr(decoding, "_parser", Parser)


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", BODIES)
def test_a_body_of_twice_the_size_takes_twice_the_operations(
    count: Any, monkeypatch: Any, kind: str, route: str
) -> None:
    monkeypatch.setattr(png.zlib, "decompressobj", Inflater)
    counts = [count(BODIES[kind](size), ROUTES[route]) for size in SIZES]
    slack = 500
    for smaller, larger in itertools.pairwise(counts):
        assert larger <= 2 * smaller + slack, counts


@pytest.mark.parametrize("kind", ["different names", "different names, the source last", "one name often"])
def test_names_are_not_walked_over_once_for_each_name(count: Any, walked: None, kind: str) -> None:
    counts = [count(BODIES[kind](size), request.SINGLE) for size in SIZES]
    for smaller, larger in itertools.pairwise(counts):
        assert larger <= 2 * smaller + 500, counts


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("kind", BODIES)
def test_the_largest_body_is_answered(kind: str, route: str) -> None:
    """What no counter sees ends here too: to move a million list entries once for each of them takes minutes."""
    body = BODIES[kind](MAX_BODY_BYTES * 97 // (200 if "é" in BODIES[kind](100) else 100))
    assert MAX_BODY_BYTES * 0.9 < len(body.encode()) <= MAX_BODY_BYTES
    assert accepts(body, ROUTES[route]) == (kind == "PNG data after its end" and route == "single")
