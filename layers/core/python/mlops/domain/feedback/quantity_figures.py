"""How well a model of a quantity was, from the totals of its labels."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from mlops.domain.feedback.intervals import Estimate, Sums, bootstrap, total


@dataclass(frozen=True)
class QuantityFigures:
    """The figures, in the unit of the quantity.

    Attributes:
        mae: The mean size of the errors.
        rmse: The root of their mean square.
        bias: The mean error: predicted less true.
        r2: The share of the labels' variance that the model explains; None if they are all the same.
        spread: The standard deviation of the sizes of the errors.
    """

    mae: Estimate
    rmse: Estimate
    bias: Estimate
    r2: Estimate | None
    spread: float


def quantity_figures(hours: Sequence[Sums], unit: int) -> QuantityFigures:
    """Return the figures of the totals of hours, which have at least one label, in 10^`unit`."""
    of = partial(_figures, unit=unit)
    values, intervals = of(total(hours)), bootstrap(hours, of)

    def estimate(name: str) -> Estimate | None:
        value = values[name]
        return None if value is None else Estimate(value, *intervals.get(name, (None, None)))

    mae, rmse, bias = estimate("mae"), estimate("rmse"), estimate("bias")
    assert mae is not None
    assert rmse is not None
    assert bias is not None
    spread = math.sqrt(max(0.0, rmse.value**2 - mae.value**2))
    return QuantityFigures(mae, rmse, bias, estimate("r2"), spread)


def _figures(totals: Sums, unit: int) -> dict[str, float | None]:
    count, scale = totals.get("n", 0), 10.0**unit
    if not count:
        return dict.fromkeys(("mae", "rmse", "bias", "r2"))
    # Whole numbers up to here, so that large labels lose nothing.
    variance = totals.get("yy", 0) * count - totals.get("ys", 0) ** 2
    explained = 1 - totals.get("ee", 0) * count / variance if variance > 0 else None
    return {
        "mae": totals.get("ea", 0) / count * scale,
        "rmse": math.sqrt(totals.get("ee", 0) / count) * scale,
        "bias": totals.get("es", 0) / count * scale,
        "r2": explained,
    }
