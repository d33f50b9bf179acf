"""The responses of the conversion routes."""

from typing import Literal

from pydantic import BaseModel, Field


class Conversion(BaseModel):
    """The conversion of a version that was logged with plain MLflow to the ONNX file that serves."""

    model_name: str
    version: int
    conversion_id: str
    status: Literal["running", "succeeded", "failed"]
    error: str | None = Field(default=None, description="Why it failed, and the remedy")
    sha256: str | None = Field(default=None, description="SHA-256 of the ONNX file")
    task: Literal["classification", "regression"] | None = Field(default=None, description="What the model predicts")
    notes: list[str] = Field(default=[], description="What the contract does not allow and why, and other remarks")
    actor: str = Field(description="Name of the API key that requested the conversion, or the transition that needs it")
    created_at: str
    completed_at: str | None = None
