"""The response of the route that lists the model types."""

from typing import Any, Literal

from pydantic import BaseModel, Field


class ModelType(BaseModel):
    name: str = Field(description="The value of `model_type`")
    tasks: list[Literal["classification", "regression"]] = Field(description="The tasks that it takes")
    data: list[Literal["table", "vector", "image"]] = Field(description="The kinds of data that it takes")
    description: str
    hyperparameters: dict[str, Any] = Field(
        description="JSON Schema of `hyperparameters`, with bounds and defaults. Only the `tasks` of a property use it"
    )
    space: dict[str, Any] = Field(
        description="What random sweeps try by default, as far as the task uses it: lists, and ranges {low, high, log}"
    )
    grid: dict[str, list[Any]] = Field(description="What grids try by default, as far as the task uses it")
    preset: dict[str, Any] = Field(description='The values of `"preset": "best"`')
    gpu: bool = Field(default=False, description="Whether it can train on a GPU: `resources` with `gpu` 1")


class ModelTypeList(BaseModel):
    model_types: list[ModelType]
