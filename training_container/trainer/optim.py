"""Adam and the one-cycle schedule, as torch has them, without what they bring in.

`torch.optim.Adam` imports torch's compiler at its first step, which costs a run as long as importing torch itself and
is never used here. So this calls the same fused kernel by its functional form, and computes the schedule as a function
of the step: nothing to restore, and the test compares both with torch's own.
"""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch.optim.adam import adam

BETA2 = 0.999
EPSILON = 1e-8
WARM_UP_SHARE = 0.3
FIRST_DIVISOR = 25.0
LAST_DIVISOR = 1e4
BETA1_RANGE = (0.85, 0.95)


def one_cycle(step: int, steps: int, peak: float) -> tuple[float, float]:
    """The learning rate and Adam's beta1 at `step` (from 0) of `steps`.

    Smith and Topin 2018, as torch's OneCycleLR: by a cosine from peak/25 up to the peak in the first 30 %, then down to
    peak/250,000, while beta1 goes from 0.95 to 0.85 and back.
    """
    turn = WARM_UP_SHARE * steps - 1
    first = peak / FIRST_DIVISOR
    if step <= turn:
        share = step / turn
        return _cosine(first, peak, share), _cosine(BETA1_RANGE[1], BETA1_RANGE[0], share)
    share = (step - turn) / (steps - 1 - turn)
    return _cosine(peak, first / LAST_DIVISOR, share), _cosine(BETA1_RANGE[0], BETA1_RANGE[1], share)


def _cosine(start: float, end: float, share: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * share))


class Adam:
    """Adam (Kingma and Ba 2015) over `parameters`, which are updated in place."""

    def __init__(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        self._parameters = list(parameters)
        self._means = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._squares = [torch.zeros_like(parameter) for parameter in self._parameters]
        self._steps = [torch.zeros(()) for _ in self._parameters]

    @torch.no_grad()
    def step(self, rate: float, beta1: float) -> None:
        """Apply the gradients, and forget them."""
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in self._parameters]
        adam(
            self._parameters,  # type: ignore[arg-type]
            gradients,
            self._means,
            self._squares,
            [],
            self._steps,
            fused=True,
            amsgrad=False,
            beta1=beta1,
            beta2=BETA2,
            lr=rate,
            weight_decay=0.0,
            eps=EPSILON,
            maximize=False,
        )
        for parameter in self._parameters:
            parameter.grad = None

    def state_dict(self) -> dict[str, Any]:
        return {"means": self._means, "squares": self._squares, "steps": self._steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._means, self._squares, self._steps = state["means"], state["squares"], state["steps"]
