"""A training job."""

from typing import Literal

JobStatus = Literal["pending", "running", "completed", "failed", "cancelled"]
