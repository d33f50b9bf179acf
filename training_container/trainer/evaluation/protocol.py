"""What the evaluations of all tasks have in common."""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Picture = Callable[[], "Figure"]


class Evaluation(Protocol):
    """How good a model is."""

    def metrics(self) -> dict[str, float]:
        """Return the figures that are logged, compared and ranked by. What the rows do not define is left out."""

    def class_metrics(self) -> dict[str, float]:
        """Return figures of each class; none for a quantity."""

    def to_document(self) -> dict[str, Any]:
        """Return all figures as a JSON object."""

    def pictures(self) -> Mapping[str, Picture]:
        """Return what draws each picture, by the name of its file."""
