"""The lifecycle of a model version, as data: the API, the promoter and the docs read this one table."""

from enum import StrEnum


class Stage(StrEnum):
    """Where a model version stands. `Training` is a run that has not registered its version yet."""

    TRAINING = "Training"
    REGISTERED = "Registered"
    STAGING = "Staging"
    PRODUCTION = "Production"
    ARCHIVED = "Archived"


ALLOWED: dict[Stage, frozenset[Stage]] = {
    Stage.TRAINING: frozenset({Stage.REGISTERED}),
    Stage.REGISTERED: frozenset({Stage.STAGING, Stage.PRODUCTION, Stage.ARCHIVED}),
    Stage.STAGING: frozenset({Stage.REGISTERED, Stage.PRODUCTION, Stage.ARCHIVED}),
    Stage.PRODUCTION: frozenset({Stage.ARCHIVED}),
    Stage.ARCHIVED: frozenset({Stage.STAGING, Stage.PRODUCTION}),  # the last edge is rollback
}


def refusal(left: Stage, entered: Stage) -> str | None:
    """Why the lifecycle does not allow a step, and what it does allow; None if it allows the step."""
    allowed = allowed_from(left)
    return None if entered in allowed else f"in {left}; from there it may go to {', '.join(allowed)}"


def allowed_from(stage: Stage) -> list[Stage]:
    """The stages a version may go to from `stage`, by name."""
    return sorted(ALLOWED[stage])


ALIASES: dict[Stage, str] = {Stage.STAGING: "staging", Stage.PRODUCTION: "production"}
"""Stages that answer requests: MLflow's alias of this name is the one truth about who holds them."""

DISPLACED_TO: dict[Stage, Stage] = {Stage.STAGING: Stage.REGISTERED, Stage.PRODUCTION: Stage.ARCHIVED}
"""Where the version goes that another one replaces in the stage."""


MLFLOW_STAGES: dict[Stage, str] = {
    Stage.REGISTERED: "None",
    Stage.STAGING: "Staging",
    Stage.PRODUCTION: "Production",
    Stage.ARCHIVED: "Archived",
}
"""What MLflow's own, deprecated `current_stage` calls each stage."""


def stage_of(aliases: dict[str, int], version: int, tag: str | None) -> Stage:
    """The stage of `version`, given the model's aliases (alias name → version) and the version's own `stage` tag.

    The alias decides; the tag only tells a version that was in Production (Archived) from one that never was
    (Registered). A tag that still says Production although the alias has gone elsewhere is such a one, too.
    """
    for stage in (Stage.PRODUCTION, Stage.STAGING):
        if aliases.get(ALIASES[stage]) == version:
            return stage
    return Stage.ARCHIVED if tag in (Stage.ARCHIVED, Stage.PRODUCTION) else Stage.REGISTERED
