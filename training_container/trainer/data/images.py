"""Bring pixels to the scale that predict uses. predict divides pixels by the request's `scale`, so models get pixels
from 0 to 1, and have to be trained on these."""

import numpy as np

from mlops_data.errors import DataError

BRIGHTEST_BYTE = 255
DARK_BYTES = 64
"""If all bytes are below this, 255 is probably not the value of white."""


def to_unit_scale(name: str, array: str, images: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Bring pixels to 0..1: bytes are divided by 255, other numbers must be in this range already.

    Args:
        name: The data set's name, for the error.
        array: The name of the array.
        images: The array `[n, rows, columns]` of the file; its dtype decides.
        vectors: The same pixels as float32 `[n, rows * columns]`, all finite.

    Raises:
        DataError: The pixels have another scale, or the scale is not clear. Names the division that helps.
    """
    if not vectors.size:
        return vectors
    darkest, brightest = float(vectors.min()), float(vectors.max())
    if images.dtype == np.uint8:
        if 0 < brightest < DARK_BYTES:
            raise DataError(
                f"{name}: {array} is uint8, whose largest value is {BRIGHTEST_BYTE}, but no pixel is above "
                f"{brightest:g}, so the value of white is not clear; save {array}.astype('float32') / "
                f"{_white(brightest)} "
                f"if white is {_white(brightest)}, or / {BRIGHTEST_BYTE} if the pictures really are that dark"
            )
        return vectors / np.float32(BRIGHTEST_BYTE)
    if darkest < 0 or brightest > 1:
        raise DataError(
            f"{name}: {array} has images of {images.dtype} with pixels from {darkest:g} to {brightest:g}; models get "
            f"pixels from 0 to 1, so save {_remedy(array, darkest, brightest)}. Rows that are not pictures must be "
            "an array of the shape [n, features]"
        )
    return vectors


def _remedy(array: str, darkest: float, brightest: float) -> str:
    if darkest < 0:
        return "the pixels as they were before they were centred or standardised, divided by the value of white"
    return f"{array}.astype('float32') / {_white(brightest)}, if that is the value of white"


def _white(brightest: float) -> int:
    """Return the next larger usual value of white: of one bit, four bits (15 or 16), bytes, or 16 bits."""
    return next((white for white in (1, 16, BRIGHTEST_BYTE, 65535) if brightest <= white), int(np.ceil(brightest)))
