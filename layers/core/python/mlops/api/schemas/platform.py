"""Whether the platform is well."""

from typing import Literal

from pydantic import BaseModel, Field


class Health(BaseModel):
    status: Literal["ok"]
    version: str


class Dependency(BaseModel):
    ok: bool
    detail: str
    age_seconds: float | None = Field(default=None, description="Age of the Production manifest")


class Ready(BaseModel):
    status: Literal["ready", "degraded"]
    dependencies: dict[str, Dependency]
