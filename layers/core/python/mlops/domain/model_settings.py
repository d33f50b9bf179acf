"""The settings of one model. What a model does not set is as the template's parameters say."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal, Protocol

from pydantic import Field, ValidationError

from mlops.domain.errors import DependencyUnavailable
from mlops.domain.request import Request
from mlops.domain.rollout.plan import Plan
from mlops.domain.training_request import DecisionThreshold
from mlops.settings import Settings

Text = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
ServingStage = Literal["Staging", "Production"]


class GateRules(Request):
    """What the gate asks of a version."""

    metric_margin: Annotated[
        float | None,
        Field(ge=0, le=1, description="How much worse the objective may be than that of the version in Production"),
    ] = None
    max_latency_ms: Annotated[
        float | None, Field(gt=0, le=10_000, description="The longest time of one prediction, in milliseconds")
    ] = None
    proof_tolerance: Annotated[
        float | None, Field(ge=0, le=1, description="The share of a proof's rows that may be answered otherwise")
    ] = None
    min_live_accuracy: Annotated[
        float | None,
        Field(ge=0, le=1, description="Share of the labels of a version's own predictions that must be right"),
    ] = None


class DriftRules(Request):
    """From when on a check warns, alerts and asks for a retrain."""

    warning: Annotated[float | None, Field(gt=0, le=10, description="The PSI of a warning")] = None
    alert: Annotated[float | None, Field(gt=0, le=10, description="The PSI of an alert")] = None
    retrain: Annotated[float | None, Field(gt=0, le=10, description="The PSI of a retrain")] = None
    minimum_samples: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="Without so many predictions there is no verdict")
    ] = None


class RetrainRules(Request):
    """Whether and how drift, or a loss that labels show, trains the model again."""

    on_drift: Annotated[bool | None, Field(description="Whether drift asks for a retrain")] = None
    on_performance: Annotated[
        bool | None, Field(description="Whether a performance that is worse than in training asks for a retrain")
    ] = None
    cooldown_hours: Annotated[
        float | None, Field(ge=0, le=8760, description="Hours between two retrains that checks ask for")
    ] = None
    runs: Annotated[int | None, Field(ge=1, le=100, description="Runs of a retrain")] = None
    stage: Annotated[
        Literal["Staging", "Production", "none"] | None, Field(description="Where the best run's version goes")
    ] = None


class LabelRules(Request):
    """When there is a verdict about what came true."""

    delay_hours: Annotated[
        int | None, Field(ge=0, le=2160, description="Verdicts are about predictions that are older")
    ] = None
    min_labels: Annotated[
        int | None, Field(ge=1, le=1_000_000, description="Without so many labels there is no verdict")
    ] = None
    min_coverage: Annotated[
        float | None, Field(ge=0, le=1, description="The share of these predictions that needs to have a label")
    ] = None


class ObjectiveRule(Request):
    """The metric of runs whose request names none."""

    name: Annotated[str, Field(pattern=r"^[\w.\-/ ]{1,100}$", description="As `objective` in a training request")]
    direction: Annotated[
        Literal["maximise", "minimise"] | None,
        Field(description="For an objective of your own: whether higher or lower is better"),
    ] = None


class RetentionRules(Request):
    """Which versions a weekly cleanup puts into the bin: those that no rule keeps. Without a rule, none."""

    archived_days: Annotated[
        int | None, Field(ge=1, le=3650, description="Only versions that have been archived for so many days")
    ] = None
    keep_versions: Annotated[
        int | None, Field(ge=1, le=10_000, description="Never one of the newest so many versions")
    ] = None


class ModelSettings(Request):
    """The settings of a model. What is null, or left out, is as the template's parameters say."""

    gate: GateRules = GateRules()
    drift: DriftRules = DriftRules()
    retrain: RetrainRules = RetrainRules()
    labels: LabelRules = LabelRules()
    objective: Annotated[
        ObjectiveRule | None, Field(description="Ranks runs, and is what the gate compares, where a request names none")
    ] = None
    decision_threshold: Annotated[
        DecisionThreshold | None,
        Field(description="Of new versions, if a request has none: the second of two classes is the answer from it on"),
    ] = None
    rollout: Annotated[
        Plan | None, Field(description="The plan of rollouts; what a request says itself comes in its place")
    ] = None
    retention: RetentionRules = RetentionRules()
    approvals: dict[ServingStage, Annotated[int, Field(ge=0, le=5)]] = Field(
        default_factory=dict,
        description="How many people have to approve a transition to a stage, besides the one who asks for it",
    )
    owners: list[Text] = Field(
        default_factory=list, max_length=20, description="Who is told that a transition waits for approval"
    )
    description: Annotated[str, Field(max_length=2000)] = ""
    tags: dict[Text, Annotated[str, Field(max_length=200)]] = Field(default_factory=dict, max_length=50)

    def given(self) -> dict[str, Any]:
        """Return what is set, as JSON has it. A guardrail that is null is set: it is not tested."""
        document = self.model_dump(exclude_none=True)
        if self.rollout is not None:
            document["rollout"] = self.rollout.model_dump(exclude_unset=True)
        return document

    def approvals_for(self, stage: str, force: bool) -> int:
        """Return how many approvals a transition needs. One that skips the metric gate needs one where any does."""
        needed = {str(name): count for name, count in self.approvals.items()}
        return max(needed.get(stage, 0), int(force and any(needed.values())))


@dataclass(frozen=True)
class SettingsDefaults(Settings):
    """What holds for models that set nothing: the template's parameters."""

    metric_margin: float
    max_latency_ms: float
    proof_tolerance: float
    min_live_accuracy: float
    drift_warning: float
    drift_alert: float
    drift_retrain: float
    drift_minimum_samples: int
    retrain_on_drift: bool
    retrain_on_performance: bool
    retrain_cooldown_hours: float
    retrain_runs: int
    retrain_stage: str
    feedback_delay_hours: int
    feedback_min_labels: int
    feedback_min_coverage: float

    def completed(self, settings: ModelSettings) -> ModelSettings:
        """Return the settings with what holds for all that they leave out."""
        defaults = {
            "gate": {name: getattr(self, name) for name in GateRules.model_fields},
            "drift": {name: getattr(self, f"drift_{name}") for name in DriftRules.model_fields},
            "retrain": {name: getattr(self, f"retrain_{name}") for name in RetrainRules.model_fields},
            "labels": {name: getattr(self, f"feedback_{name}") for name in LabelRules.model_fields},
        }
        given = settings.given()
        return ModelSettings.model_validate(
            {**given, **{part: values | given.get(part, {}) for part, values in defaults.items()}}
        )


@dataclass(frozen=True)
class StoredSettings:
    """The settings of a model as somebody has set them; version 0 if nobody has.

    Attributes:
        changed_by, owner: The name of the key, and its owner.
        reason: Why they were changed.
    """

    version: int = 0
    settings: ModelSettings = field(default_factory=ModelSettings)
    changed_by: str | None = None
    owner: str | None = None
    changed_at: str | None = None
    reason: str | None = None

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> "StoredSettings":
        """Read a record. Fields that this version does not know are passed over.

        Raises:
            DependencyUnavailable: A later version has written a value that this one cannot read.
        """
        try:
            return cls(
                int(record["version"]),
                ModelSettings.model_validate(record["settings"], extra="ignore", strict=False),
                record.get("changed_by"),
                record.get("owner"),
                record.get("changed_at"),
                record.get("reason"),
            )
        except (KeyError, TypeError, ValueError, ValidationError) as error:
            raise DependencyUnavailable(
                "The settings of the model cannot be read by this version of the platform; deploy the one that "
                "wrote them, or set them again"
            ) from error

    def to_record(self) -> dict[str, Any]:
        """Return the record, without what is not set."""
        values = asdict(self) | {"settings": self.settings.given()}
        return {name: value for name, value in values.items() if value is not None}


class HasSettings(Protocol):
    """Where the settings of models are."""

    def settings(self, model_name: str) -> StoredSettings:
        """Return the settings of a model. Raises DependencyUnavailable."""
        ...
