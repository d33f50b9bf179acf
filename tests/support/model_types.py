"""Model types as the training image publishes them."""

from dataclasses import dataclass
from pathlib import Path

from mlops.domain.model_types import ModelTypes

PUBLISHED = ModelTypes.model_validate_json(Path(__file__).with_suffix(".json").read_bytes())


@dataclass(frozen=True)
class Published:
    """In place of the document in the bucket."""

    types: ModelTypes

    def read(self) -> ModelTypes:
        return self.types
