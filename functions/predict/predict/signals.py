"""What drift detection needs to know of an image, and no more: a picture of 7x7 averages cannot be read back."""

import time

import numpy as np

BLOCKS = 7
"""The image is cut into 7x7 blocks; a pixel above a half is ink."""
ALL_OF = 1000
"""Requests of one hour and environment that are all measured, whatever the share; a verdict takes 200 predictions."""
_STEPS = 1 << 20


class SignalShare:
    """Which requests are measured: the first of an hour and of a model all are, of those beyond them a share.

    A thousand images say what an hour's look like. Measuring each of a million more would say no more, and cost a fifth
    of a prediction's time and half of its log.
    """

    def __init__(self, share: float) -> None:
        self._steps = round(share * _STEPS)
        self._hour, self._serial, self._asked = 0, 0, 0

    def takes(self, request_id: str, serial: int) -> bool:
        """Whether to measure this request's images, which the model of that serial number answered."""
        hour = int(time.time()) // 3600
        if hour != self._hour or serial > self._serial:
            self._hour, self._serial, self._asked = hour, serial, 0
        self._asked += 1
        # By the id: every eighth request might always be the same one of eight clients that take turns.
        return self._asked <= ALL_OF or hash(request_id) % _STEPS < self._steps


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
        """float32 `[n, pixels]` → int32 thousandths: `mean_intensity [n]`, `ink_share [n]`, `block_means [n, 49]`."""
        count = len(inputs)
        found = np.empty((count, 2 + BLOCKS * BLOCKS), np.float32)
        strips = inputs.reshape(-1, self._columns).dot(self._across)
        found[:, 1:] = strips.reshape(count, -1).dot(self._down)
        # Rounding a pixel of 0..1 is the comparison with a half, and leaves numbers that a product can count.
        found[:, 0] = np.rint(inputs).dot(self._ink)
        thousandths = np.rint(found, found).astype(np.int32)
        # Whole arrays, which the log's encoder asks for; of one image these are no copies.
        return {
            "mean_intensity": np.ascontiguousarray(thousandths[:, 1]),
            "ink_share": np.ascontiguousarray(thousandths[:, 0]),
            "block_means": np.ascontiguousarray(thousandths[:, 2:]),
        }


def _share(length: int) -> np.ndarray:
    """float32 `[length, 7]`: which block each row (or column) belongs to; as even as can be, as the trainer's are."""
    member = np.zeros((length, BLOCKS), np.float32)
    member[np.arange(length), np.arange(length) * BLOCKS // length] = 1
    return member
