"""The PNG decoder against Pillow, and against files that are broken or hostile."""

import io
import struct
import time
import tracemalloc
import zlib
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from predict import png

LENIENT = settings(
    max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
GRADIENT = np.arange(28 * 28, dtype=np.uint32).reshape(28, 28) * 7 % 256


def saved(image: Image.Image, **options: Any) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", **options)
    return file.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_file(columns: int, rows: int, depth: int, colour: int, data: bytes, *more: bytes, interlace: int = 0) -> bytes:
    header = struct.pack(">IIBBBBB", columns, rows, depth, colour, 0, 0, interlace)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + b"".join(more) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def plain(rows: int, row_bytes: int, fill: int = 0) -> bytes:
    return zlib.compress((b"\0" + bytes([fill]) * row_bytes) * rows)


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGB", "RGBA", "I;16"])
def test_reads_what_pillow_writes(mode: str) -> None:
    colour = np.stack([GRADIENT, GRADIENT.T, 255 - GRADIENT], axis=2).astype(np.uint8)
    image = Image.fromarray(GRADIENT.astype(np.uint8)) if mode in ("1", "L", "LA") else Image.fromarray(colour)
    if mode == "I;16":
        image = Image.fromarray((GRADIENT * 257).astype(np.uint16))
        expected = GRADIENT / 255
    else:
        image = image.convert(mode)
        expected = np.asarray(image.convert("RGB"), np.float64) @ [0.299, 0.587, 0.114] / 255
    pixels = png.decode(saved(image), (28, 28))
    assert pixels.dtype == np.float32
    assert pixels == pytest.approx(expected, abs=1e-4)


@LENIENT
@given(
    rows=st.integers(1, 9),
    columns=st.integers(1, 9),
    mode=st.sampled_from(["1", "L", "LA", "P", "RGB", "RGBA"]),
    optimise=st.booleans(),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_image_of_any_size(rows: int, columns: int, mode: str, optimise: bool, seed: int) -> None:
    noise = np.random.default_rng(seed).integers(0, 256, (rows, columns, 3)).astype(np.uint8)
    image = Image.fromarray(noise).convert(mode)
    expected = np.asarray(image.convert("RGB"), np.float64) @ [0.299, 0.587, 0.114] / 255
    pixels = png.decode(saved(image, optimize=optimise), (rows, columns))
    assert pixels == pytest.approx(expected, abs=1e-4)


def test_transparency_becomes_black() -> None:
    image = Image.new("LA", (28, 28), (200, 0))
    assert png.decode(saved(image), (28, 28)).max() == 0
    keyed = saved(Image.new("L", (28, 28), 200), transparency=200)
    assert png.decode(keyed, (28, 28)).max() == 0
    palette = Image.new("P", (28, 28), 0)
    palette.putpalette([255, 255, 255])
    assert png.decode(saved(palette, transparency=0), (28, 28)).max() == 0
    assert png.decode(saved(palette), (28, 28)).min() == 1


GOOD = saved(Image.fromarray(GRADIENT.astype(np.uint8)))
BAD = {
    "another size": saved(Image.new("L", (28, 27))),
    "cut short": GOOD[:-30],
    "cut in the header": GOOD[:20],
    "only the signature": GOOD[:8],
    "a wrong checksum": GOOD[:20] + b"\x01" + GOOD[21:],
    "interlaced": png_file(28, 28, 8, 0, plain(28, 28), interlace=1),
    "an unknown depth": png_file(28, 28, 3, 0, plain(28, 28)),
    "an unknown colour": png_file(28, 28, 8, 5, plain(28, 28)),
    "a depth that the colour has not": png_file(28, 28, 4, 2, plain(28, 28)),
    "an unknown filter": png_file(28, 28, 8, 0, zlib.compress((b"\x05" + bytes(28)) * 28)),
    "no palette": png_file(28, 28, 8, 3, plain(28, 28)),
    "a pixel outside the palette": png_file(28, 28, 8, 3, plain(28, 28, 9), chunk(b"PLTE", bytes(6))),
    "more transparency than palette": png_file(
        28, 28, 8, 3, plain(28, 28), chunk(b"PLTE", bytes(3)), chunk(b"tRNS", bytes(4))
    ),
    "a transparency of the wrong size": png_file(28, 28, 8, 0, plain(28, 28), chunk(b"tRNS", bytes(5))),
    "an unknown critical chunk": png_file(28, 28, 8, 0, plain(28, 28), chunk(b"ABCD", b"")),
    "data that does not inflate": png_file(28, 28, 8, 0, b"\x00" * 50),
    "too little data": png_file(28, 28, 8, 0, plain(27, 28)),
    "too much data": png_file(28, 28, 8, 0, plain(29, 28)),
    "no size": png_file(0, 28, 8, 0, plain(28, 0)),
    "a chunk longer than the file": GOOD[:33] + b"\xff\xff\xff\xffIDAT",
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_cannot_be_used_is_a_png_error(case: str) -> None:
    with pytest.raises(png.PngError):
        png.decode(BAD[case], (28, 28))


def test_a_bomb_is_not_inflated() -> None:
    data = zlib.compress(bytes(1 << 28), 9)  # 256 MB in 260 kB
    bombs = [png_file(28, 28, 8, 0, data), png_file(16384, 16384, 8, 0, data)]
    tracemalloc.start()
    began = time.process_time()
    for bomb in bombs:
        with pytest.raises(png.PngError):
            png.decode(bomb, (28, 28))
    assert time.process_time() - began < 0.3
    assert tracemalloc.get_traced_memory()[1] < 3_000_000
    tracemalloc.stop()


@LENIENT
@given(place=st.integers(0, len(GOOD) - 1), value=st.integers(0, 255), cut=st.integers(0, len(GOOD)))
def test_a_damaged_file_never_does_anything_else_than_raise_png_error(place: int, value: int, cut: int) -> None:
    damaged = GOOD[:place] + bytes([value]) + GOOD[place + 1 : cut]
    try:
        pixels = png.decode(damaged, (28, 28))
    except png.PngError:
        return
    assert pixels.shape == (28, 28)
    assert 0 <= pixels.min() <= pixels.max() <= 1
