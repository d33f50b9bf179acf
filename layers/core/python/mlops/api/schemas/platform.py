"""The responses of the routes that check the platform."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    status: Literal["ok"]
    version: str


class Dependency(BaseModel):
    ok: bool
    detail: str = Field(description="What the check saw")
    warning: str | None = Field(
        default=None, description="What works and is not in order, with the remedy; null if there is nothing"
    )
    age_seconds: float | None = Field(
        default=None, description="For s3: seconds since the default model's Production manifest was written"
    )


class Me(BaseModel):
    """What the key of the request may do."""

    name: str = Field(description="Name of the key, as the history shows it")
    owner: str = Field(description="The person or team that the key belongs to")
    role: str = Field(description="predict, read, feedback, train, approve or admin; each may do what those before may")
    models: list[str] = Field(
        description="The models and experiments that the key is for; a name that ends in * stands for all names with "
        "this beginning"
    )
    until: str | None = Field(
        default=None, description="When a personal key ends (POST /session); null for a key that an operator has made"
    )
    mlflow_url: str | None = Field(
        default=None,
        description="Where a browser opens MLflow; null on AWS, where its requests are signed and `mlops ui` opens it",
    )


class Ready(BaseModel):
    status: Literal["ready", "degraded"]
    dependencies: dict[str, Dependency] = Field(description="By name: dynamodb, s3 and tracking (MLflow)")
