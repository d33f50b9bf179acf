"""The responses of the routes of people's own code."""

from pydantic import BaseModel, Field


class CodeUpload(BaseModel):
    code: str = Field(description="The SHA-256 of the archive, which names it in POST /runs")
    url: str | None = Field(
        description="Send the archive there with PUT and `headers`, within 15 minutes; null if it is there already"
    )
    headers: dict[str, str] = Field(default={}, description="Headers that the PUT must have")
