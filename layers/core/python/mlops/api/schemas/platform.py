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


class Ready(BaseModel):
    status: Literal["ready", "degraded"]
    dependencies: dict[str, Dependency] = Field(description="By name: dynamodb, s3 and tracking (MLflow)")
