"""The objective of runs and versions, in the responses of several routes."""

from typing import Literal

from pydantic import BaseModel, Field


class Objective(BaseModel):
    """The metric that says how good a model is."""

    name: str = Field(description="Name of the metric, as in `metrics`")
    direction: Literal["maximise", "minimise"] = Field(description="Whether higher or lower values are better")
