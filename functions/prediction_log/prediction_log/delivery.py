"""A delivery of CloudWatch Logs: base64 of gzip of JSON."""

import base64
import json
import zlib
from dataclasses import dataclass

MAX_BYTES = 64_000_000
"""A delivery holds at most some megabytes; what unpacks to more is not one."""


class Undecodable(ValueError):
    """Not a delivery of CloudWatch Logs; the message says at which step it failed."""


@dataclass(frozen=True)
class Line:
    id: str
    seconds: float
    """Unix time at which the function wrote it."""
    text: str


@dataclass(frozen=True)
class Delivery:
    """Lines of one log stream; an id stands for the same line whenever it is delivered."""

    stream: str
    lines: tuple[Line, ...]


def decode(data: str) -> Delivery:
    """Raises Undecodable. A control message, by which AWS tries the subscription out, has no lines."""
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
