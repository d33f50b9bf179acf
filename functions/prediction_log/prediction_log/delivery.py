"""Decode a delivery of CloudWatch Logs: base64 of gzip of JSON."""

import base64
import json
import zlib
from dataclasses import dataclass

MAX_BYTES = 64_000_000
"""Size limit of an unpacked delivery, which has a few megabytes at most."""


class Undecodable(ValueError):
    """The data is not a delivery of CloudWatch Logs. The message names the step that failed."""


@dataclass(frozen=True)
class Line:
    id: str
    seconds: float
    """Unix time at which predict wrote the line."""
    text: str


@dataclass(frozen=True)
class Delivery:
    """Lines of one log stream. A line has the same id in every delivery."""

    stream: str
    lines: tuple[Line, ...]


def decode(data: str) -> Delivery:
    """Unpack a delivery. A control message, with which AWS tests the subscription, has no lines. Raises Undecodable."""
    try:
        packed = base64.b64decode(data, validate=True)
    except ValueError as error:
        raise Undecodable("base64") from error
    try:
        unpacking = zlib.decompressobj(wbits=31)
        text = unpacking.decompress(packed, MAX_BYTES)
    except zlib.error as error:
        raise Undecodable("gzip") from error
    if not unpacking.eof:
        raise Undecodable("gzip")
    try:
        message = json.loads(text)
        events = message["logEvents"] if message["messageType"] == "DATA_MESSAGE" else []
        lines = {
            event["id"]: Line(str(event["id"]), event["timestamp"] / 1000, str(event["message"])) for event in events
        }
        return Delivery(str(message["logStream"]), tuple(lines.values()))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError) as error:
        raise Undecodable("json") from error
