"""Registered models and their versions."""

from pydantic import BaseModel, Field


class ModelVersion(BaseModel):
    version: int
    stage: str
    run_id: str | None
    metrics: dict[str, float]
    sha256: str | None
    created_at: str


class Model(BaseModel):
    """A registered model. MLflow takes names that cannot be served; such a model is listed, with the reason."""

    name: str
    latest_version: int | None
    latest_stage: str | None
    production_version: int | None
    versions: int = Field(description="How many versions the model has")
    servable: bool = Field(default=True, description="Whether its versions can be promoted, and asked for predictions")
    reason: str | None = Field(default=None, description="Why it is not servable, with the remedy; null where it is")


class ModelList(BaseModel):
    models: list[Model]
    total_count: int
    next_cursor: str | None = None


class ModelDetail(BaseModel):
    name: str
    production_version: int | None
    staging_version: int | None
    servable: bool = Field(default=True, description="Whether its versions can be promoted, and asked for predictions")
    reason: str | None = Field(default=None, description="Why it is not servable, with the remedy; null where it is")
    versions: list[ModelVersion] = Field(description="The newest first")
    next_cursor: str | None = None
