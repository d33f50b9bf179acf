"""What a rollout is asked to do: its steps, and the guardrails that end it. Frozen into the rollout's record."""

from itertools import pairwise
from typing import Annotated, Self

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from mlops.domain.request import Request

DAY = 24 * 60
WEEK = 7 * DAY
MAX_STEPS = 10

_Minutes = Annotated[int, Field(ge=1, le=WEEK)]
_Share = Annotated[float, Field(gt=0, lt=1)]


class Step(Request):
    """A share of the callers, for some time."""

    weight: Annotated[float, Field(gt=0, le=100, description="Percent of the routing keys that the challenger answers")]
    minutes: Annotated[_Minutes, Field(description="The step takes at least so long")]
    min_requests: Annotated[
        int, Field(ge=1, le=10_000_000, description="The step waits until the challenger has answered so many requests")
    ] = 100
    min_labels: Annotated[
        int,
        Field(
            ge=0,
            le=10_000_000,
            description="The step waits until so many rows that both versions answered have a label",
        ),
    ] = 0
    max_minutes: Annotated[
        _Minutes, Field(description="If the step has not seen enough by then, the rollout is aborted")
    ] = WEEK

    @model_validator(mode="after")
    def _has_time(self) -> Self:
        if self.max_minutes < self.minutes:
            raise PydanticCustomError("step_time", "max_minutes must be at least minutes")
        return self


Steps = Annotated[list[Step], Field(min_length=1, max_length=MAX_STEPS)]
ShadowMinutes = Annotated[int, Field(ge=0, le=WEEK)]
BakeDays = Annotated[int, Field(ge=0, le=60)]


class Guardrails(Request):
    """What the challenger may not do. Each may be null: then it is not tested."""

    max_error_rate: Annotated[
        _Share | None,
        Field(description="Largest share of requests that only the version in Production can answer"),
    ] = 0.01
    max_latency_ratio: Annotated[
        float | None,
        Field(ge=1, le=100, description="Largest time of the challenger, in times of the version in Production"),
    ] = 2.0
    max_disagreement: Annotated[
        _Share | None, Field(description="Largest share of rows that the two versions answer differently")
    ] = 0.2
    max_confidence_drop: Annotated[
        _Share | None,
        Field(description="How much less sure than Production the challenger may be in half of the rows. For classes"),
    ] = None
    max_prediction_shift: Annotated[
        _Share | None,
        Field(description="In how many rows more or fewer than Production, as a share, it may answer a label"),
    ] = None
    min_accuracy_delta: Annotated[
        float | None,
        Field(ge=-1, le=0, description="Smallest accuracy minus that of Production, on rows with labels. For classes"),
    ] = None

    @property
    def tested(self) -> int:
        """How many guardrails there are."""
        return sum(limit is not None for limit in self.model_dump().values())


class Plan(Request):
    """Steps and guardrails."""

    steps: Annotated[Steps, Field(description="With growing weights")]
    shadow_minutes: Annotated[
        ShadowMinutes,
        Field(description="For so long the challenger is asked, and nobody gets its answers; 0: no such"),
    ] = 30
    shadow_share: Annotated[
        _Share | Annotated[float, Field(ge=1, le=1)],
        Field(description="Share of the requests, in every step, for which both versions are asked and compared"),
    ] = 0.25
    guardrails: Annotated[Guardrails, Field(default_factory=Guardrails)]
    bake_days: Annotated[
        BakeDays, Field(description="For so long labels that come later can still bring the version before back")
    ] = 0

    @model_validator(mode="after")
    def _knows_what_labels_are_for(self) -> Self:
        if self.guardrails.min_accuracy_delta is None and (self.bake_days or any(s.min_labels for s in self.steps)):
            raise PydanticCustomError(
                "labels", "min_labels and bake_days need the guardrail min_accuracy_delta, which tests the labels"
            )
        return self

    @model_validator(mode="after")
    def _grows(self) -> Self:
        weights = [step.weight for step in self.steps]
        if any(later <= earlier for earlier, later in pairwise(weights)):
            raise PydanticCustomError("step_weights", "each step must have a larger weight than the one before")
        return self

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each phase. The shadow, if there is one, is the first, with weight 0."""
        return (*((0.0,) if self.shadow_minutes else ()), *(step.weight for step in self.steps))

    def step_of(self, phase: int) -> Step | None:
        """Return the step of a phase; None of the shadow. Raises IndexError after the last phase."""
        before = 1 if self.shadow_minutes else 0
        return None if phase < before else self.steps[phase - before]
