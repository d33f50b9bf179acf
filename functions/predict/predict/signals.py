"""Measure an image for drift detection, without storing it: a picture cannot be recognised from 7x7 averages."""

import time

import numpy as np

BLOCKS = 7
"""An image has 7x7 blocks; a pixel above one half is ink."""
ALL_OF = 1000
"""Requests per hour and environment that are always measured. A verdict needs 200 predictions."""
_STEPS = 1 << 20


class SignalShare:
    """Decides which requests are measured: the first of an hour and of a model, and a share of those after them.

    A thousand images describe the images of an hour well enough. Measuring every image would take a fifth of predict's
    time and half of the log.
    """

    def __init__(self, share: float) -> None:
        self._steps = round(share * _STEPS)
        self._hour_ends, self._serial, self._count = 0, 0, 0

    def takes(self, request_id: str, serial: int) -> bool:
        """Return whether to measure the images of this request, which the model with this serial number answered."""
        if time.time() >= self._hour_ends or serial > self._serial:
            self._hour_ends, self._serial, self._count = (int(time.time()) // 3600 + 1) * 3600, serial, 0
        self._count += 1
        # By the id, because every eighth request could always come from the same client.
        return self._count <= ALL_OF or hash(request_id) % _STEPS < self._steps


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
