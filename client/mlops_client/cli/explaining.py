"""Draws what each column adds to an answer."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from mlops_client.cli import drawing
from mlops_client.models import Explanation

SHOWN = 10
WIDTH = 12
NAMES = {
    "log_odds": "log-odds",
    "score": "score",
    "probability": "probability",
    "value": "value",
    "log_value": "logarithm of the value",
}


def drawn(explanation: Explanation, out: Console) -> Text:
    """Return the columns that add or take most as bars, and what all of them add up to."""
    ranked = sorted(explanation.parts.items(), key=lambda part: -abs(part[1]))
    shown, rest = ranked[:SHOWN], ranked[SHOWN:]
    largest = max((abs(part) for _, part in shown), default=0.0) or 1.0
    lines = [*shown]
    if rest:
        lines.append((f"{len(rest)} more columns", sum(part for _, part in rest)))
    total = explanation.base + sum(explanation.parts.values())
    of = f" of {explanation.label}" if explanation.label is not None else ""
    width = max(len(name) for name, _ in [*lines, ("base", 0.0)])
    text = Text(f"\n{NAMES[explanation.of]}{of}: {total:.4g}\n", style="dim")
    text.append(f"{'base':>{width}} {explanation.base:+.4g}\n", style="dim")
    for name, part in lines:
        text.append(f"{name:>{width}} ")
        text.append(f"{part:+.4g}".ljust(11))
        text.append(drawing.bar(min(1.0, abs(part) / largest), WIDTH, out) + "\n", style="green" if part > 0 else "red")
    text.rstrip()
    return text
