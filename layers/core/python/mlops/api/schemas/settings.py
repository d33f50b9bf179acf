"""The request and the response of the settings of a model."""

from typing import Annotated

from pydantic import BaseModel, Field

from mlops.domain.model_settings import ModelSettings
from mlops.domain.request import Request


class SettingsChange(Request):
    """What the settings of a model become. What is left out is as the stack's parameters say."""

    expected_version: Annotated[
        int, Field(ge=0, description="The version of the settings that these replace; 0 if there are none")
    ]
    settings: ModelSettings
    reason: Annotated[str, Field(min_length=1, max_length=1000, description="The reason, for the model's history")]


class SettingsState(BaseModel):
    model_name: str
    version: int = Field(description="Counts the changes; 0 if nobody has set any")
    settings: ModelSettings = Field(description="What was set")
    effective: ModelSettings = Field(description="What holds: what was set, and the stack's parameters for all else")
    changed_by: str | None = Field(default=None, description="Name of the key that changed them last")
    changed_at: str | None = None
    reason: str | None = None
