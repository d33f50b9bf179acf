"""What is counted: the predictions of a version in a stage."""

from dataclasses import dataclass


@dataclass(frozen=True, order=True)
class Series:
    """What is counted: a version of a model in a stage. `Series("-", 0, kind)` has counts that belong to no model."""

    model_name: str
    version: int
    stage: str

    @property
    def key(self) -> str:
        return f"{self.model_name}#{self.version}"

    @property
    def total_slot(self) -> str:
        return f"{self.key}/{self.stage}"

    @classmethod
    def parse(cls, total_slot: str) -> "Series":
        """Read the name of a slot. Raises ValueError for a name of another form."""
        key, _, stage = total_slot.rpartition("/")
        name, _, version = key.rpartition("#")
        return cls(name, int(version), stage)
