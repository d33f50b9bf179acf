"""Decode a PNG of the model's size to grey pixels 0..1.

Pillow would add 20 MB to the inference layer for this one use, and pypng inflates data of any size. This module first
compares the header's size with the model's, and never inflates more bytes than that.
Format: https://www.w3.org/TR/png-3/
"""

import zlib
from collections.abc import Iterator

import numpy as np

from predict.decoding import PNG_SIGNATURE

_CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}
_DEPTHS = {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}
_LUMA = np.array([299, 587, 114], np.float64) / 1000
"""Weights of red, green and blue in grey: ITU-R BT.601, section 2.5.1."""


class PngError(ValueError):
    """The file cannot be used. The message says why."""


def decode(data: bytes, expected: tuple[int, int] | int) -> np.ndarray:
    """Decode a PNG to float32 `[rows, columns]`, 0 black to 1 white. Colour becomes luma, transparency becomes black.

    Args:
        data: The file.
        expected: `(rows, columns)`, or the number of pixels if the model does not say more.

    Raises:
        PngError: The file is damaged, has another size, or is interlaced.
    """
    header: bytes | None = None
    palette = transparency = b""
    inflater = zlib.decompressobj()
    scanlines = bytearray()
    size = 0
    for kind, content in _chunks(data):
        if header is None:
            if kind != b"IHDR" or len(content) != 13:
                raise PngError("it does not begin with a header")
            header = content
            size = _scanline_bytes(header, expected)
        elif kind == b"PLTE":
            palette = content
        elif kind == b"tRNS":
            transparency = content
        elif kind == b"IDAT":
            if inflater.eof:  # zlib would copy all of the rest again with each further chunk
                continue
            try:
                scanlines += inflater.decompress(content, size + 1 - len(scanlines))
            except zlib.error as error:
                raise PngError("its data does not inflate") from error
            if len(scanlines) > size:
                raise PngError("it holds more data than its header says")
        elif kind == b"IEND":
            break
        elif not kind[0] & 0x20:
            raise PngError("it has an unknown critical chunk")
    if header is None or len(scanlines) != size:
        raise PngError("it is cut short")
    return _grey(header, scanlines, palette, transparency)


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(PNG_SIGNATURE)
    while at < len(data):
        length = int.from_bytes(data[at : at + 4], "big")
        end = at + 12 + length
        if end > len(data):
            raise PngError("it is cut short")
        kind, content = data[at + 4 : at + 8], data[at + 8 : end - 4]
        if zlib.crc32(content, zlib.crc32(kind)) != int.from_bytes(data[end - 4 : end], "big"):
            raise PngError("a checksum is wrong")
        yield kind, content
        at = end


def _scanline_bytes(header: bytes, expected: tuple[int, int] | int) -> int:
    """Return the bytes of all scanlines, each with its filter byte. Raises PngError if the header is not supported."""
    columns, rows = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour, compression, filtering, interlace = header[8:]
    if depth not in _DEPTHS.get(colour, ()) or compression or filtering or interlace > 1:
        raise PngError("its header is not valid")
    if interlace:
        raise PngError("it is interlaced; save it without interlacing")
    if isinstance(expected, int):
        if rows * columns != expected:
            raise PngError(f"it has {columns}x{rows} pixels; this model takes {expected}")
    elif (rows, columns) != expected:
        raise PngError(f"it is {columns} wide and {rows} high; this model takes {expected[1]} by {expected[0]}")
    return rows * (1 + (columns * depth * _CHANNELS[colour] + 7) // 8)


def _grey(header: bytes, scanlines: bytearray, palette: bytes, transparency: bytes) -> np.ndarray:
    columns, rows = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    depth, colour = header[8], header[9]
    channels = _CHANNELS[colour]
    raw = _unfiltered(scanlines, rows, max(1, depth * channels // 8))
    if depth == 16:
        samples = raw.reshape(rows, -1, 2) @ np.array([256, 1])
    elif depth == 8:
        samples = raw.astype(np.int64)
    else:
        bits = np.unpackbits(raw, axis=1).reshape(rows, -1, depth)
        samples = bits @ (1 << np.arange(depth - 1, -1, -1))
    samples = samples[:, : columns * channels].reshape(rows, columns, channels)
    if colour == 3:
        return _from_palette(samples[..., 0], palette, transparency)
    full = (1 << depth) - 1
    alpha = np.ones((rows, columns))
    if colour in (4, 6):
        alpha, samples = samples[..., -1] / full, samples[..., :-1]
    elif transparency:
        if len(transparency) != 2 * channels:
            raise PngError("its transparent colour is not valid")
        key = np.frombuffer(transparency, ">u2")
        alpha = (samples != key).any(axis=2).astype(np.float64)
    grey = samples[..., 0] if samples.shape[2] == 1 else samples @ _LUMA
    pixels: np.ndarray = (grey / full * alpha).astype(np.float32)
    return pixels


def _from_palette(indices: np.ndarray, palette: bytes, transparency: bytes) -> np.ndarray:
    if not palette or len(palette) % 3 or len(transparency) > len(palette) // 3:
        raise PngError("its palette is not valid")
    colours = np.frombuffer(palette, np.uint8).reshape(-1, 3)
    if indices.max() >= len(colours):
        raise PngError("it has a pixel that is not in its palette")
    alpha = np.ones(len(colours))
    alpha[: len(transparency)] = np.frombuffer(transparency, np.uint8) / 255
    pixels: np.ndarray = (colours @ _LUMA / 255 * alpha)[indices].astype(np.float32)
    return pixels


def _unfiltered(scanlines: bytearray, rows: int, step: int) -> np.ndarray:
    """Return uint8 `[rows, bytes]` with each row's filter undone; `step` is the bytes of a whole pixel (section 9)."""
    width = len(scanlines) // rows
    above = bytearray(width - 1)
    out = bytearray()
    for start in range(0, len(scanlines), width):
        kind, row = scanlines[start], scanlines[start + 1 : start + width]
        if kind > 4:
            raise PngError("a row has an unknown filter")
        if kind:
            for index in range(width - 1):
                left = row[index - step] if index >= step else 0
                if kind == 1:
                    guess = left
                elif kind == 2:
                    guess = above[index]
                elif kind == 3:
                    guess = (left + above[index]) // 2
                else:
                    guess = _paeth(left, above[index], above[index - step] if index >= step else 0)
                row[index] = (row[index] + guess) & 255
        out += row
        above = row
    return np.frombuffer(out, np.uint8).reshape(rows, width - 1)


def _paeth(left: int, above: int, corner: int) -> int:
    guess = left + above - corner
    to_left, to_above, to_corner = abs(guess - left), abs(guess - above), abs(guess - corner)
    if to_left <= to_above and to_left <= to_corner:
        return left
    return above if to_above <= to_corner else corner
