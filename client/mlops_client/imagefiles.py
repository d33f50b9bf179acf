"""Reads images out of files with the standard library alone: PNG, numpy's npy, and IDX (MNIST's), gzip or not."""

from __future__ import annotations

import ast
import gzip
import math
import struct
import zlib
from array import array
from dataclasses import dataclass
from pathlib import Path

from mlops_client.errors import BadInput
from mlops_client.inputs import PNG_SIGNATURE

IDX_UNSIGNED_BYTE = 0x08
LARGEST_SIDE = 4096
_NPY_CODES = {"u1": "B", "i1": "b", "u2": "H", "i2": "h", "u4": "I", "i4": "i", "u8": "Q", "i8": "q"} | {
    "f4": "f",
    "f8": "d",
    "b1": "B",
}


@dataclass(frozen=True)
class Image:
    """Pixels row by row, from 0 to 1; `name` says where it comes from."""

    name: str
    rows: int
    columns: int
    pixels: list[float]

    def inverted(self) -> Image:
        """Dark for light: what was drawn with ink on paper, for models that know light on dark."""
        return Image(self.name, self.rows, self.columns, [1 - pixel for pixel in self.pixels])


def read_images(path: Path, first: int = 0, count: int | None = None) -> list[Image]:
    """The images of a file: one of a PNG, `count` (all by default) from number `first` of an npy or IDX file.

    Raises BadInput: names the file and what is wrong with it.
    """
    try:
        data = path.read_bytes()
        if data[:2] == b"\x1f\x8b":
            data = gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    try:
        if data.startswith(PNG_SIGNATURE):
            images = [_png(str(path), data)]
        elif data.startswith(b"\x93NUMPY"):
            images = _npy(str(path), data)
        elif data[:3] == bytes([0, 0, IDX_UNSIGNED_BYTE]):
            images = _idx(str(path), data)
        else:
            raise BadInput(f"{path} is no image this reads: wanted a PNG, an npy array or MNIST's IDX format")
    except (struct.error, zlib.error, IndexError, ValueError, SyntaxError, KeyError) as error:
        raise BadInput(f"{path} is damaged or cut short ({error})") from None
    chosen = images[first : None if count is None else first + count]
    if not chosen:
        raise BadInput(f"{path} holds {len(images)} images; there is none at number {first}")
    return chosen


def _png(name: str, data: bytes) -> Image:
    header, palette, clear, packed = _png_chunks(data)
    columns, rows, depth, colour, _, _, interlaced = struct.unpack(">IIBBBBB", header)
    if depth != 8 or interlaced or colour not in (0, 2, 3, 4, 6):
        raise BadInput(f"{name}: only PNGs of 8 bits a channel that are not interlaced are read; save it so")
    if max(rows, columns) > LARGEST_SIDE:
        raise BadInput(f"{name} is {columns}x{rows}; at most {LARGEST_SIDE} pixels a side are read")
    channels = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour]
    lines = _unfiltered(zlib.decompress(packed), rows, columns * channels, channels)
    pixels = []
    for line in lines:
        for start in range(0, len(line), channels):
            pixels.append(_grey(line[start : start + channels], colour, palette, clear))
    return Image(name, rows, columns, pixels)


def _png_chunks(data: bytes) -> tuple[bytes, bytes, bytes, bytes]:
    chunks: dict[bytes, bytes] = {b"IHDR": b"", b"PLTE": b"", b"tRNS": b"", b"IDAT": b""}
    at = len(PNG_SIGNATURE)
    while at + 8 <= len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind in chunks:
            chunks[kind] += data[at + 8 : at + 8 + length]
        at += 12 + length
    return chunks[b"IHDR"], chunks[b"PLTE"], chunks[b"tRNS"], chunks[b"IDAT"]


def _unfiltered(raw: bytes, rows: int, width: int, step: int) -> list[bytearray]:
    """The scan lines without PNG's filters (PNG specification, section 9)."""
    if len(raw) < rows * (width + 1):
        raise ValueError("fewer pixels than its header says")
    lines: list[bytearray] = []
    above = bytearray(width)
    for row in range(rows):
        start = row * (width + 1)
        kind, line = raw[start], bytearray(raw[start + 1 : start + 1 + width])
        for index in range(width):
            left = line[index - step] if index >= step else 0
            corner = above[index - step] if index >= step else 0
            line[index] = (line[index] + _predicted(kind, left, above[index], corner)) & 255
        lines.append(line)
        above = line
    return lines


def _predicted(kind: int, left: int, up: int, corner: int) -> int:
    if kind == 4:
        guess = left + up - corner
        return min((left, up, corner), key=lambda near: abs(guess - near))
    return (0, left, up, (left + up) // 2)[kind]


def _grey(pixel: bytes | bytearray, colour: int, palette: bytes, clear: bytes) -> float:
    """Luminance from 0 to 1 (Rec. 601), over black where the image is transparent."""
    alpha = 255
    if colour == 3:
        index = pixel[0]
        alpha = clear[index] if index < len(clear) else 255
        pixel = palette[3 * index : 3 * index + 3]
    elif colour in (4, 6):
        alpha = pixel[-1]
        pixel = pixel[:-1]
    light = float(pixel[0]) if len(pixel) == 1 else 0.299 * pixel[0] + 0.587 * pixel[1] + 0.114 * pixel[2]
    return light * alpha / 65025


def _npy(name: str, data: bytes) -> list[Image]:
    wide = data[6] >= 2
    (length,) = struct.unpack("<I" if wide else "<H", data[8 : 12 if wide else 10])
    start = (12 if wide else 10) + length
    header = ast.literal_eval(data[start - length : start].decode("latin-1").strip())
    shape, kind = tuple(header["shape"]), str(header["descr"])
    code = _NPY_CODES.get(kind[1:])
    if code is None or header["fortran_order"] or kind[0] == ">":
        raise BadInput(f"{name}: arrays of {kind} are not read; save it as uint8 or float32, in C order")
    values = array(code)
    values.frombytes(data[start : start + math.prod(shape) * values.itemsize])
    if len(values) != math.prod(shape):
        raise ValueError("fewer values than its header says")
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        shape = (1, side, side) if side * side == shape[0] else (1, 1, shape[0])
    elif len(shape) == 2:
        side = math.isqrt(shape[1])
        # [n, 784] is n flat images; [28, 28] is one.
        shape = (shape[0], side, side) if side * side == shape[1] and side > 3 and shape[0] != shape[1] else (1, *shape)
    if len(shape) != 3:
        raise BadInput(f"{name} has the shape {shape}; wanted [n, rows, columns], [n, pixels] or [rows, columns]")
    scale = 255 if code not in "fd" and kind[1:] != "b1" else 1
    return _cut(name, [value / scale for value in values], shape[0], shape[1], shape[2])


def _idx(name: str, data: bytes) -> list[Image]:
    dimensions = data[3]
    shape = struct.unpack(f">{dimensions}I", data[4 : 4 + 4 * dimensions])
    if dimensions != 3:
        raise BadInput(f"{name} holds labels or other numbers, not images")
    body = data[4 + 4 * dimensions :]
    if len(body) < math.prod(shape):
        raise ValueError("fewer pixels than its header says")
    return _cut(name, body, shape[0], shape[1], shape[2], scale=255)


def _cut(name: str, values: list[float] | bytes, count: int, rows: int, columns: int, scale: float = 1) -> list[Image]:
    size = rows * columns
    return [
        Image(
            f"{name}[{index}]" if count > 1 else name,
            rows,
            columns,
            [value / scale for value in values[index * size : (index + 1) * size]],
        )
        for index in range(count)
    ]
