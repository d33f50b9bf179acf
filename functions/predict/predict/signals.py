"""Measure an image for drift detection, without storing it: a picture cannot be recognised from 7x7 averages."""

import numpy as np

from predict.sampling import Sampling

BLOCKS = 7
"""An image has 7x7 blocks; a pixel above one half is ink."""


class Signals:
    """Coarse signals of flattened `[rows, columns]` images with pixels 0..1, for any number of images at once."""

    def __init__(self, image: tuple[int, int]) -> None:
        rows, columns = image
        self._columns, self._pixels = columns, rows * columns
        # Averages over columns, then over rows: two small products that leave the model's weights in the processor's
        # cache, where one with a matrix of all pixels would not. The first column of the second is the whole image.
        across, down = _share(columns), _share(rows)
        self._across = across / np.maximum(across.sum(axis=0), 1)
        heights, widths = down.sum(axis=0), across.sum(axis=0)
        blocks = np.kron(1000 * down / np.maximum(heights, 1), np.eye(BLOCKS, dtype=np.float32))
        whole = np.tile(1000 * widths / self._pixels, rows)
        self._down = np.column_stack([whole, blocks]).astype(np.float32)
        self._ink = np.full(self._pixels, 1000 / self._pixels, np.float32)
        self._sampling = Sampling()

    def of(self, request_id: str, inputs: np.ndarray) -> dict[str, np.ndarray] | None:
        """Measure the images of a request; None if it is not chosen. Inputs and result are those of a call."""
        return self(inputs) if self._sampling.takes(request_id, len(inputs)) else None

    def __call__(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Measure images, float32 `[n, pixels]`.

        Returns:
            int32 thousandths: `mean_intensity [n]`, `ink_share [n]`, `block_means [n, 49]`.
        """
        count = len(inputs)
        measured = np.empty((count, 2 + BLOCKS * BLOCKS), np.float32)
        strips = inputs.reshape(-1, self._columns).dot(self._across)
        measured[:, 1:] = strips.reshape(count, -1).dot(self._down)
        # Rounding a pixel of 0..1 compares it with one half, and gives numbers that a product can count.
        measured[:, 0] = np.rint(inputs).dot(self._ink)
        thousandths = np.rint(measured, measured).astype(np.int32)
        # The log's encoder needs contiguous arrays; for one image these are no copies.
        return {
            "mean_intensity": np.ascontiguousarray(thousandths[:, 1]),
            "ink_share": np.ascontiguousarray(thousandths[:, 0]),
            "block_means": np.ascontiguousarray(thousandths[:, 2:]),
        }


def _share(length: int) -> np.ndarray:
    """Return float32 `[length, 7]`: the block of each row or column, with the same bounds as in the trainer."""
    member = np.zeros((length, BLOCKS), np.float32)
    member[np.arange(length), np.arange(length) * BLOCKS // length] = 1
    return member
