"""Reads images from files: PNG, numpy's npy, and IDX (MNIST's format), gzipped or not.

This needs pillow and numpy, the extra `images`. They are imported only when a file is read.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mlops_client.errors import BadInput
from mlops_client.extras import require
from mlops_client.inputs import PNG_SIGNATURE, scale_of

if TYPE_CHECKING:
    import numpy as np

    Array = np.ndarray[Any, Any]

GZIP_SIGNATURE = b"\x1f\x8b"
NPY_SIGNATURE = b"\x93NUMPY"
IDX_SIGNATURE = b"\x00\x00\x08"
"""IDX with unsigned bytes; the next byte is the number of dimensions."""
MAX_BYTES = 256 * 1024 * 1024
"""Limit of a file, and of the content of a gzip file. MNIST has 47 MB."""
MAX_SIDE = 4096
_BIT_DEPTH_AT = 24
"""The byte of a PNG that says how many bits a sample has: https://www.w3.org/TR/png-3/#11IHDR."""
LUMA = (0.299, 0.587, 0.114)
"""Weights of red, green and blue in grey: ITU-R BT.601, section 2.5.1. The API uses the same."""


@dataclass(frozen=True)
class Image:
    """An image in grey.

    Attributes:
        name: The file, and the index of the image in it.
        rows: Height.
        columns: Width.
        pixels: Row by row, from 0 (black) to 1 (white).
    """

    name: str
    rows: int
    columns: int
    pixels: list[float]

    def inverted(self) -> Image:
        """Return the image with black and white inverted, for dark ink on light paper."""
        return Image(self.name, self.rows, self.columns, [1 - pixel for pixel in self.pixels])


def read_images(path: Path, first: int = 0, count: int | None = None) -> list[Image]:
    """Return the images of a file.

    Args:
        path: The file. A PNG has one image.
        first: Index of the first image to return.
        count: Number of images to return; None returns all that follow.

    Raises:
        BadInput: The file cannot be read. The message names it and says why.
        MlopsError: pillow or numpy is not installed.
    """
    require(("numpy", "PIL"), "reading image files", "images")
    data = _content(path)
    try:
        if data.startswith(PNG_SIGNATURE):
            pixels, white = _png(data)[None], 1.0
        elif data.startswith(NPY_SIGNATURE):
            pixels, white = _npy(data)
        elif data.startswith(IDX_SIGNATURE):
            pixels, white = _idx(data), 255.0
        else:
            raise BadInput("not an image that can be read; expected a PNG, a numpy array (npy), or MNIST's IDX format")
    except BadInput as error:
        raise BadInput(f"{path}: {error}") from None
    except (OSError, ValueError, SyntaxError, TypeError, KeyError, EOFError, struct.error, zlib.error) as error:
        raise BadInput(f"{path} is damaged or cut short ({error})") from None
    chosen = pixels[first : None if count is None else first + count]
    if not len(chosen):
        raise BadInput(f"{path} has {len(pixels)} images, so there is no image {first}; the first one is 0")
    rows, columns = pixels.shape[1:]
    images = []
    for number, image in enumerate(chosen, start=first):
        name = f"{path}[{number}]" if len(pixels) > 1 else str(path)
        images.append(Image(name, rows, columns, (image / white).ravel().tolist()))
    return images


def _content(path: Path) -> bytes:
    """Return the file's bytes, unpacked if it is gzip, up to `MAX_BYTES`."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
        if data.startswith(GZIP_SIGNATURE):
            with gzip.open(io.BytesIO(data)) as unpacked:
                data = unpacked.read(MAX_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise BadInput(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from None
    if len(data) > MAX_BYTES:
        raise BadInput(f"{path} holds more than {MAX_BYTES // 2**20} MB; split the file")
    return data


def _png(data: bytes) -> Array:
    """Return `[rows, columns]` from 0 to 1. As in the API, colour becomes luma, and transparency becomes black."""
    import numpy as np
    from PIL import Image as Pillow

    with warnings.catch_warnings():
        # Pillow warns about large images, and refuses larger ones. The limit here is lower.
        warnings.simplefilter("ignore", Pillow.DecompressionBombWarning)
        try:
            image = Pillow.open(io.BytesIO(data), formats=["PNG"])
        except Pillow.DecompressionBombError:
            raise BadInput(f"it has more than {MAX_SIDE} pixels per side; make it smaller") from None
    if max(image.size) > MAX_SIDE:
        raise BadInput(f"it has {image.width}x{image.height} pixels, and may have {MAX_SIDE} per side; make it smaller")
    if image.mode == "L" and "transparency" in image.info:
        # Pillow spreads samples of 2 and 4 bits over 0..255, but not the transparent one.
        image.info["transparency"] *= 255 // (2 ** data[_BIT_DEPTH_AT] - 1)
    if image.mode.startswith("I"):
        grey = np.asarray(image, np.float64)
        transparent = image.info.get("transparency")
        grey = grey / 65535 if transparent is None else np.where(grey == transparent, 0, grey / 65535)
    else:
        channels = np.asarray(image.convert("RGBA"), np.float64) / 255
        grey = channels[..., :3] @ np.array(LUMA) * channels[..., 3]
    return grey


def _npy(data: bytes) -> tuple[Array, float]:
    """Return `[n, rows, columns]` and the value of white.

    numpy.load allocates what the header says, even if less data follows. A view of the bytes does not.
    """
    import numpy as np
    from numpy.lib import format as npy

    file = io.BytesIO(data)
    version = npy.read_magic(file)
    read_header = npy.read_array_header_1_0 if version == (1, 0) else npy.read_array_header_2_0
    shape, fortran_order, dtype = read_header(file)
    if dtype.kind not in "buif":
        raise BadInput(f"it holds an array of {dtype}; expected numbers")
    values = np.frombuffer(data, dtype, math.prod(shape), file.tell())
    values = values.reshape(shape, order="F" if fortran_order else "C")
    values = values.reshape(_stacked(shape))
    if not np.isfinite(values).all():
        raise BadInput("it holds NaN or infinity; all numbers must be finite")
    return values, scale_of(values) or 1.0


def _stacked(shape: tuple[int, ...]) -> tuple[int, int, int]:
    """Return the shape as `[n, rows, columns]`."""
    if len(shape) == 3:
        return shape[0], shape[1], shape[2]
    if len(shape) == 1:
        side = math.isqrt(shape[0])
        return (1, side, side) if side * side == shape[0] else (1, 1, shape[0])
    if len(shape) == 2:
        side = math.isqrt(shape[1])
        # [n, 784] is n flat images; [28, 28] is one image.
        flat = side * side == shape[1] and side > 3 and shape[0] != shape[1]
        return (shape[0], side, side) if flat else (1, shape[0], shape[1])
    raise BadInput(f"it has the shape {shape}; expected [n, rows, columns], [n, pixels] or [rows, columns]")


def _idx(data: bytes) -> Array:
    import numpy as np

    dimensions = data[3]
    if dimensions != 3:
        raise BadInput("it holds labels or other numbers, not images")
    shape = struct.unpack_from(">3I", data, 4)
    return np.frombuffer(data, np.uint8, math.prod(shape), 16).reshape(shape)
