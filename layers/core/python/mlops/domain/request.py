"""The base of all request bodies."""

from pydantic import BaseModel, ConfigDict


class Request(BaseModel):
    """Base of request bodies. Unknown fields, NaN, infinities, and strings or booleans for numbers are refused."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)
