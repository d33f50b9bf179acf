"""Files that people have, read as images: as the API reads them, or refused with the reason."""

import gzip
import os
import struct
import subprocess
import sys
import zlib
from pathlib import Path

import numpy as np
import pytest

from infra.local.settings import ROOT


def test_images_are_read_from_png_npy_and_idx(tmp_path):
    from mlops_client.images import read_images

    pixels = np.random.default_rng(0).integers(0, 256, (3, 5, 4), dtype=np.uint8)
    np.save(tmp_path / "a.npy", pixels)
    (tmp_path / "b.idx").write_bytes(gzip.compress(struct.pack(">IIII", 2051, *pixels.shape) + pixels.tobytes()))
    for name in ("a.npy", "b.idx"):
        found = read_images(tmp_path / name)
        assert [(image.rows, image.columns) for image in found] == [(5, 4)] * 3
        np.testing.assert_allclose([image.pixels for image in found], pixels.reshape(3, 20) / 255)
    (image,) = read_images(tmp_path / "a.npy", first=1, count=1)
    np.testing.assert_allclose(image.pixels, pixels[1].ravel() / 255)
    np.testing.assert_allclose(image.inverted().pixels, 1 - pixels[1].ravel() / 255)


@pytest.mark.parametrize(("mode", "kinds"), [("L", "filters"), ("RGB", ""), ("RGBA", ""), ("P", ""), ("LA", "")])
def test_png_files_are_read_as_pillow_reads_them(tmp_path, mode, kinds):
    pillow = pytest.importorskip("PIL.Image")
    from mlops_client.images import read_images

    # A smooth picture: the writer then uses all of PNG's filters.
    slope = np.add.outer(np.arange(28) * 5, np.arange(28) * 3).astype(np.uint8)
    drawn = pillow.fromarray(slope).convert(mode) if mode != "LA" else pillow.fromarray(slope).convert("LA")
    drawn.save(tmp_path / "a.png")
    (image,) = read_images(tmp_path / "a.png")
    expected = np.asarray(drawn.convert("RGB").convert("L"), np.float64) / 255
    np.testing.assert_allclose(np.reshape(image.pixels, (28, 28)), expected, atol=1 / 255)


def chunk(kind, content):
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png_of(depth, colour, transparency=b"", side=16):
    """A PNG of random samples, written by hand: pillow writes few of the kinds that there are."""
    generator = np.random.default_rng(depth * 10 + colour)
    row_bytes = (side * depth * {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}[colour] + 7) // 8
    lines = b"".join(b"\0" + generator.bytes(row_bytes) for _ in range(side))
    palette = chunk(b"PLTE", generator.bytes(3 * 2**depth)) if colour == 3 else b""
    transparent = chunk(b"tRNS", transparency) if transparency else b""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, depth, colour, 0, 0, 0))
    data = chunk(b"IDAT", zlib.compress(lines))
    return b"\x89PNG\r\n\x1a\n" + header + palette + transparent + data + chunk(b"IEND", b"")


KINDS = [
    *((depth, 0, b"") for depth in (1, 2, 4, 8, 16)),
    *((depth, 3, b"") for depth in (1, 2, 4, 8)),
    *((depth, colour, b"") for depth in (8, 16) for colour in (2, 4, 6)),
    *((depth, 3, bytes([0, 128])) for depth in (1, 2, 4, 8)),
    *((depth, 0, bytes([0, 1])) for depth in (1, 2, 4, 8)),
    (16, 0, bytes([1, 0])),
    (8, 2, bytes([0, 1, 0, 2, 0, 3])),
]


@pytest.mark.parametrize(("depth", "colour", "transparency"), KINDS)
def test_a_png_of_any_kind_is_read_as_the_api_reads_it(tmp_path, depth, colour, transparency):
    from mlops_client.images import read_images
    from predict import png

    content = png_of(depth, colour, transparency)
    (tmp_path / "a.png").write_bytes(content)
    (image,) = read_images(tmp_path / "a.png")
    # Pillow has 8 bits for colours of 16, and for their transparency.
    tolerance = (2 if colour in (4, 6) else 1) / 255 if depth == 16 and colour else 1e-6
    np.testing.assert_allclose(np.reshape(image.pixels, (16, 16)), png.decode(content, (16, 16)), atol=tolerance)


def test_a_png_that_inflates_to_more_than_its_size_is_not_inflated(tmp_path):
    small = png_of(8, 0)
    start, end = small.index(b"IDAT") - 4, small.index(b"IEND") - 4
    bomb = chunk(b"IDAT", zlib.compress(bytes(400_000_000), 1))
    (tmp_path / "a.png").write_bytes(small[:start] + bomb + small[end:])
    # In a process of its own, whose peak is that of reading.
    program = """
import re, sys
from pathlib import Path
from mlops_client.images import read_images
(image,) = read_images(Path(sys.argv[1]))
assert image.pixels == [0] * 256
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "a.png")],
        env={**os.environ, "PYTHONPATH": str(ROOT / "client")},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) < 150_000, "kB, of which Python, numpy and pillow take a third"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"hello",
        b"\x89PNG\r\n\x1a\n",
        b"\x89PNG\r\n\x1a\n"
        + struct.pack(">I4s", 13, b"IHDR")
        + struct.pack(">IIBBBBB", 28, 28, 8, 0, 0, 0, 0)
        + b"0000",
        b"\x93NUMPY\x01\x00\x10\x00garbage",
        bytes([0, 0, 8, 3]) + struct.pack(">III", 9, 28, 28),
        b"\x1f\x8bnot gzip",
    ],
)
def test_what_is_no_image_is_an_error_that_names_the_file(tmp_path, content):
    from mlops_client.errors import BadInput
    from mlops_client.images import read_images

    path = Path(tmp_path / "x.png")
    path.write_bytes(content)
    with pytest.raises(BadInput, match=r"x\.png"):
        read_images(path)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.int64, np.float32])
def test_arrays_of_every_type_and_order_are_read_from_0_to_1(tmp_path, dtype):
    from mlops_client.images import read_images

    pixels = np.arange(28 * 28).reshape(28, 28) % 256
    stored = (pixels / 255).astype(dtype) if dtype is np.float32 else pixels.astype(dtype)
    np.save(tmp_path / "a.npy", np.asfortranarray(stored))
    (image,) = read_images(tmp_path / "a.npy")
    np.testing.assert_allclose(np.reshape(image.pixels, (28, 28)), pixels / 255, atol=1e-6)


def test_16_bits_run_to_65535(tmp_path):
    from PIL import Image

    from mlops_client.errors import BadInput
    from mlops_client.images import read_images

    pixels = (np.arange(28 * 28).reshape(28, 28) * 80).astype(np.uint16)
    np.save(tmp_path / "a.npy", pixels)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    for name in ("a.npy", "a.png"):
        (image,) = read_images(tmp_path / name)
        np.testing.assert_allclose(np.reshape(image.pixels, (28, 28)), pixels / 65535)
    np.save(tmp_path / "b.npy", pixels.astype(np.int64))
    with pytest.raises(BadInput, match="set scale to the value of white"):
        read_images(tmp_path / "b.npy")


def test_bombs_are_refused_before_they_are_unpacked(tmp_path, monkeypatch):
    from mlops_client import images
    from mlops_client.errors import BadInput

    monkeypatch.setattr(images, "MAX_BYTES", 1_000_000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(bytes(50_000_000)))
    with pytest.raises(BadInput, match=r"a\.gz holds more than"):
        images.read_images(tmp_path / "a.gz")
    np.save(tmp_path / "b.npy", np.zeros((28, 28), np.uint8))
    content = (tmp_path / "b.npy").read_bytes()
    (tmp_path / "b.npy").write_bytes(content.replace(b"(28, 28)", b"(28000000, 28000000)")[:128] + content[128:])
    with pytest.raises(BadInput, match=r"b\.npy"):
        images.read_images(tmp_path / "b.npy")


def test_a_missing_library_is_named_with_its_extra(tmp_path, monkeypatch):
    import sys

    from mlops_client.errors import MlopsError
    from mlops_client.images import read_images

    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(MlopsError, match=r"needs PIL: pip install 'mlops-client\[images\]'"):
        read_images(tmp_path / "a.png")
