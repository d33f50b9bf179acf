"""The responses of the model routes: registered models and their versions."""

from pydantic import BaseModel, Field

from mlops.api.schemas.objectives import Objective


class ModelVersion(BaseModel):
    version: int
    stage: str = Field(description="Registered, Staging, Production or Archived")
    run_id: str | None
    experiment_name: str | None = Field(
        default=None, description="The experiment of the run; null if the key is not for it, or if it was deleted"
    )
    metrics: dict[str, float]
    objective: Objective | None = Field(
        default=None, description="The metric that the gate compares; null if its direction is not known"
    )
    sha256: str | None = Field(description="SHA-256 of the ONNX file")
    created_at: str


class Model(BaseModel):
    """A registered model. MLflow allows names that cannot be served; such a model is listed with the reason."""

    name: str
    latest_version: int | None
    latest_stage: str | None
    production_version: int | None
    versions: int = Field(description="Number of versions")
    awaiting_approval: int = Field(default=0, description="How many of its transitions wait for approval")
    servable: bool = Field(default=True, description="Whether its versions can be promoted, and asked for predictions")
    reason: str | None = Field(default=None, description="Why it is not servable, with the remedy; null if it is")


class ModelList(BaseModel):
    models: list[Model]
    total_count: int
    next_cursor: str | None = None


class ModelDetail(BaseModel):
    name: str
    production_version: int | None
    staging_version: int | None
    production_refusal: str | None = Field(
        default=None,
        description="Why the gate would no longer admit the version that serves in Production; null if it would",
    )
    staging_refusal: str | None = Field(default=None, description="The same, for the version in Staging")
    servable: bool = Field(default=True, description="Whether its versions can be promoted, and asked for predictions")
    reason: str | None = Field(default=None, description="Why it is not servable, with the remedy; null if it is")
    versions: list[ModelVersion] = Field(description="A page of versions, newest first")
    next_cursor: str | None = None
