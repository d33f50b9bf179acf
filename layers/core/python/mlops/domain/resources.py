"""The vCPUs, the memory and the time of a training job, and the sizes that AWS Fargate has."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Annotated

from pydantic import Field, model_validator

from mlops.domain.request import Request

USUAL_VCPU = 2.0
"""vCPUs of a job that asks for none; the job definition in the template has the same."""
_MEMORY_GB: dict[float, tuple[float, ...]] = {
    0.25: (0.5, 1, 2),
    0.5: (1, 2, 3, 4),
    1: tuple(range(2, 9)),
    2: tuple(range(4, 17)),
    4: tuple(range(8, 31)),
    8: tuple(range(16, 61, 4)),
    16: tuple(range(32, 121, 8)),
}
"""Fargate's sizes: for each number of vCPUs, the memory in GB that it can have."""
MAX_VCPU, MAX_MEMORY_GB = max(_MEMORY_GB), max(_MEMORY_GB[16])


@dataclass(frozen=True, order=True)
class Size:
    """A size that Fargate has."""

    vcpu: float
    memory_gb: float

    def __str__(self) -> str:
        return f"{self.vcpu:g} vCPU with {self.memory_gb:g} GB"


USUAL = Size(USUAL_VCPU, 4)
"""The size of a job that asks for none."""


class Resources(Request):
    """What a job asks for. What it leaves out has the usual value: 2 vCPU, 4 GB, and the time of MaxJobSeconds."""

    vcpu: Annotated[
        float | None,
        Field(
            ge=0.25, le=MAX_VCPU, description="vCPUs: 0.25, 0.5, 1, 2, 4, 8 or 16. Default: 2, or as memory_gb needs"
        ),
    ] = None
    memory_gb: Annotated[
        float | None,
        Field(ge=0.5, le=MAX_MEMORY_GB, description="Memory in GB. Default: 4, or the least that vcpu allows"),
    ] = None
    minutes: Annotated[
        int | None,
        Field(
            ge=1, le=14_400, description="Minutes after which an attempt of the job is stopped. Default: MaxJobSeconds"
        ),
    ] = None
    gpu: Annotated[
        int,
        Field(
            ge=0,
            le=1,
            description="1: train on a GPU, in a job of the size that the stack has for it. 0: on the processor",
        ),
    ] = 0

    @model_validator(mode="after")
    def _exists(self) -> "Resources":
        if self.gpu and (self.vcpu is not None or self.memory_gb is not None):
            raise ValueError("vcpu and memory_gb must be left out with gpu: the stack has one size of job with a GPU")
        _ = self.size
        return self

    @property
    def size(self) -> Size | None:
        """The size of the job; None for the usual one, or with a GPU. Raises ValueError if Fargate does not have it."""
        if self.vcpu is None and self.memory_gb is None:
            return None
        wanted = [
            size for size in _sizes() if self.vcpu in (None, size.vcpu) and self.memory_gb in (None, size.memory_gb)
        ]
        if not wanted:
            raise ValueError(
                f"Fargate has no size of {_asked(self)}; the nearest are {' and '.join(map(str, _nearest(self)))}"
            )
        # The least memory; and for memory alone, the number of vCPUs that is nearest to the usual one.
        return min(wanted, key=lambda size: (abs(size.vcpu - USUAL_VCPU), size.memory_gb))


def _sizes() -> Iterator[Size]:
    """List all sizes, the smallest first."""
    return (Size(vcpu, memory) for vcpu, memories in _MEMORY_GB.items() for memory in memories)


def _asked(resources: Resources) -> str:
    parts = {"vCPU": resources.vcpu, "GB": resources.memory_gb}
    return " and ".join(f"{value:g} {unit}" for unit, value in parts.items() if value is not None)


def _nearest(resources: Resources) -> list[Size]:
    """Return the largest size that has no more than what was asked for, and the smallest that has no less."""
    vcpu, memory = resources.vcpu, resources.memory_gb

    def smaller(size: Size) -> bool:
        return (vcpu is None or size.vcpu <= vcpu) and (memory is None or size.memory_gb <= memory)

    def larger(size: Size) -> bool:
        return (vcpu is None or size.vcpu >= vcpu) and (memory is None or size.memory_gb >= memory)

    # Of what was not asked for, the least is enough.
    below = [size for size in _sizes() if smaller(size)]
    above = [size for size in _sizes() if larger(size)]
    if vcpu is None:
        nearest = [max(below, key=lambda size: (size.memory_gb, -size.vcpu), default=None)]
        nearest += [min(above, key=lambda size: (size.memory_gb, size.vcpu), default=None)]
    else:
        order = 1 if memory is not None else -1
        nearest = [max(below, key=lambda size: (size.vcpu, order * size.memory_gb), default=None)]
        nearest += [min(above, default=None)]
    return [size for size in nearest if size is not None]
