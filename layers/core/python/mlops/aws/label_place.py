"""Where the feedback table has what is kept of a prediction: one partition for each id."""

from dataclasses import dataclass

ANSWERS, PARKED, LABEL = "answers", "parked", "label"


@dataclass(frozen=True)
class LabelPlace:
    """Whose label it is: a model, the id of a request or of a row, and the row's number.

    `made` is the Unix time of the id, or that of the label if the id is a caller's.
    """

    model_name: str
    id: str
    row: int
    made: float

    @property
    def series(self) -> str:
        return f"predictions#{self.model_name}#{self.id}"

    @property
    def slot(self) -> str:
        return f"{LABEL}#{self.row:04}"


def key_of(series: str, slot: str) -> dict[str, str]:
    """Return the key of an item."""
    return {"series": series, "slot": slot}
