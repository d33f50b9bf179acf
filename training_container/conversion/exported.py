"""Torch modules that MLflow saved as exported programs (`pt2`), which is its default."""

from typing import Any

import torch


class ExportedModule(torch.nn.Module):
    """An exported module that can be exported again.

    It stays in the mode that it was exported in, and raises an error if it is asked for another one, as everybody does
    who evaluates a module.
    """

    def __init__(self, program: torch.nn.Module) -> None:
        super().__init__()
        self.program = program

    def forward(self, rows: torch.Tensor) -> Any:
        """Return what the program answers."""
        return self.program(rows)

    def train(self, mode: bool = True) -> "ExportedModule":
        """Change nothing."""
        return self


def evaluable(module: torch.nn.Module) -> torch.nn.Module:
    """Return a module that can be set to evaluation."""
    try:
        return module.eval()
    except NotImplementedError:
        return ExportedModule(module)
