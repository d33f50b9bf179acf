"""What drift detection needs to know of an image, and no more: a picture of 7x7 averages cannot be read back."""

import numpy as np

BLOCKS = 7
"""The image is cut into 7x7 blocks; a pixel above a half is ink."""


class Signals:
    """Coarse signals of flattened `[rows, columns]` images with pixels 0..1, for any number of images at once."""

    def __init__(self, image: tuple[int, int]) -> None:
        rows, columns = image
        self._columns, self._pixels = columns, rows * columns
        # Averages over columns, then over rows: two small products that leave the model's weights in the processor's
        # cache, where one with a matrix of all pixels would not. The last column of the second is the whole image.
        across, down = _share(columns), _share(rows)
        self._across = across / np.maximum(across.sum(axis=0), 1)
        heights, widths = down.sum(axis=0), across.sum(axis=0)
        blocks = np.kron(1000 * down / np.maximum(heights, 1), np.eye(BLOCKS, dtype=np.float32))
        whole = np.tile(1000 * widths / self._pixels, rows)
        self._down = np.column_stack([blocks, whole]).astype(np.float32)
        self._ink = np.full(self._pixels, 1000 / self._pixels, np.float32)

    def __call__(self, inputs: np.ndarray) -> dict[str, np.ndarray]:
        """float32 `[n, pixels]` → int32 thousandths: `mean_intensity [n]`, `ink_share [n]`, `block_means [n, 49]`."""
        strips = inputs.reshape(-1, self._columns).dot(self._across)
        averages = np.rint(strips.reshape(len(inputs), -1).dot(self._down)).astype(np.int32)
        # Rounding a pixel of 0..1 is the comparison with a half, and leaves numbers that a product can count.
        ink = np.rint(np.rint(inputs).dot(self._ink)).astype(np.int32)
        return {
            "mean_intensity": averages[:, -1].copy(),  # the log's encoder takes whole arrays only
            "ink_share": ink,
            "block_means": averages[:, :-1].copy(),
        }


def _share(length: int) -> np.ndarray:
    """float32 `[length, 7]`: which block each row (or column) belongs to; as even as can be, as the trainer's are."""
    member = np.zeros((length, BLOCKS), np.float32)
    member[np.arange(length), np.arange(length) * BLOCKS // length] = 1
    return member
