"""Images, sparklines and bars made of characters, in plain ASCII if the terminal shows nothing else."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.style import Style
from rich.text import Text

from mlops_client.images import Image

BLOCKS = "▁▂▃▄▅▆▇█"
ASCII_BLOCKS = "_.-=+*#@"
SHADES = " .:-=+*#%@"


def unicode_works(console: Console) -> bool:
    """Return whether the terminal shows more than ASCII."""
    return console.encoding.lower().replace("-", "").startswith("utf")


def sparkline(values: Sequence[float], console: Console, width: int = 24) -> str:
    """Return the last `width` values as bars, from the lowest to the highest."""
    shown = list(values)[-width:]
    if not shown:
        return ""
    marks = BLOCKS if unicode_works(console) else ASCII_BLOCKS
    low, high = min(shown), max(shown)
    span = (high - low) or 1.0
    return "".join(marks[min(7, int((value - low) / span * 8))] for value in shown)


def bar(share: float, width: int, console: Console) -> str:
    """Return a bar for a share from 0 to 1; 1 fills the width."""
    full = round(max(0.0, min(1.0, share)) * width)
    return ("█" if unicode_works(console) else "#") * full


def drawn(image: Image, console: Console) -> Text:
    """Return the image as half blocks in grey, or as ASCII without colours; with every n-th pixel, so that it fits."""
    rows, columns = image.rows, image.columns
    step = 1
    while columns // step > max(8, console.width):
        step += 1
    pixels = [
        [image.pixels[row * columns + column] for column in range(0, columns, step)] for row in range(0, rows, step)
    ]
    if console.color_system in ("256", "truecolor") and unicode_works(console):
        return _half_blocks(pixels)
    lines = [pixels[row] for row in range(0, len(pixels), 2)]
    return Text("\n".join("".join(SHADES[min(9, int(pixel * 10))] for pixel in line) for line in lines))


def _half_blocks(pixels: list[list[float]]) -> Text:
    text = Text()
    for row in range(0, len(pixels), 2):
        below = pixels[row + 1] if row + 1 < len(pixels) else [0.0] * len(pixels[row])
        for top, bottom in zip(pixels[row], below, strict=True):
            text.append("▀", Style(color=_grey(top), bgcolor=_grey(bottom)))
        text.append("\n")
    text.rstrip()
    return text


def _grey(pixel: float) -> str:
    level = round(max(0.0, min(1.0, pixel)) * 255)
    return f"#{level:02x}{level:02x}{level:02x}"
