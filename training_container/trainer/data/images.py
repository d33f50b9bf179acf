"""The scale of pixels. A model of images is asked with pixels from 0 to 1 (predict divides what it is sent by the
request's `scale`), so it has to be trained on pixels from 0 to 1 too."""

import numpy as np

from trainer.errors import DataError

BRIGHTEST_BYTE = 255
DARK_BYTES = 64
"""Bytes that all stay below this were probably not meant to run to 255."""


def to_unit_scale(name: str, array: str, images: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    """Bring the pixels of `images` to 0..1: bytes are divided by 255, other numbers have to be there already.

    Args:
        name: The data set's name, for the error.
        array: The name of the array.
        images: The array `[n, rows, columns]` as it is in the file; its dtype decides.
        vectors: The same pixels as float32 `[n, rows * columns]`, all finite.

    Raises:
        DataError: the pixels have another scale, or the scale is not clear; names the division that helps.
    """
    if not vectors.size:
        return vectors
    darkest, brightest = float(vectors.min()), float(vectors.max())
    if images.dtype == np.uint8:
        if 0 < brightest < DARK_BYTES:
            raise DataError(
                f"{name}: {array} is uint8, which runs to {BRIGHTEST_BYTE}, but no pixel is above {brightest:g}, so it "
                f"is not clear what white is; save {array}.astype('float32') / {_white(brightest)} "
                f"if white is {_white(brightest)}, or / {BRIGHTEST_BYTE} if the pictures are that dark"
            )
        return vectors / np.float32(BRIGHTEST_BYTE)
    if darkest < 0 or brightest > 1:
        raise DataError(
            f"{name}: {array} holds images of {images.dtype} with pixels from {darkest:g} to {brightest:g}; "
            f"predictions are asked with pixels from 0 to 1, so save {_remedy(array, darkest, brightest)}. "
            "Rows that are not pictures belong in an array of the shape [n, features]"
        )
    return vectors


def _remedy(array: str, darkest: float, brightest: float) -> str:
    if darkest < 0:
        return "the pixels as they were before they were centred or standardised, divided by the value of white"
    return f"{array}.astype('float32') / {_white(brightest)}, if that is the value of white"


def _white(brightest: float) -> int:
    """The usual value of white that is nearest above: of one bit, four bits and one more, bytes, or 16 bits."""
    return next((white for white in (1, 16, BRIGHTEST_BYTE, 65535) if brightest <= white), int(np.ceil(brightest)))
