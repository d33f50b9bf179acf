"""The lifecycle of a model version, as one table for the API and promotion."""

from enum import StrEnum


class Stage(StrEnum):
    """The stage of a model version. In `Training` its run has not registered it yet."""

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
    """Return why the lifecycle does not allow a step, and which steps it allows; None if it allows the step."""
    allowed = allowed_from(left)
    return None if entered in allowed else f"in {left}; from there it can go to {', '.join(allowed)}"


def allowed_from(stage: Stage) -> list[Stage]:
    """List the stages that a version may go to from `stage`, by name."""
    return sorted(ALLOWED[stage])


ALIASES: dict[Stage, str] = {Stage.STAGING: "staging", Stage.PRODUCTION: "production"}
"""Stages that answer requests. MLflow's alias of this name decides which version is in the stage."""

DISPLACED_TO: dict[Stage, Stage] = {Stage.STAGING: Stage.REGISTERED, Stage.PRODUCTION: Stage.ARCHIVED}
"""The stage of a version after another one has replaced it."""


MLFLOW_STAGES: dict[Stage, str] = {
    Stage.REGISTERED: "None",
    Stage.STAGING: "Staging",
    Stage.PRODUCTION: "Production",
    Stage.ARCHIVED: "Archived",
}
"""The names of the stages in MLflow's deprecated `current_stage`."""


def stage_of(aliases: dict[str, int], version: int, tag: str | None) -> Stage:
    """Return the stage of `version`, from the model's aliases (version by alias) and the version's tag `stage`.

    The alias decides. For a version without an alias, the tag shows whether it was in Production (Archived) or never
    was (Registered). So the tag Production without the alias means Archived.
    """
    for stage in (Stage.PRODUCTION, Stage.STAGING):
        if aliases.get(ALIASES[stage]) == version:
            return stage
    return Stage.ARCHIVED if tag in (Stage.ARCHIVED, Stage.PRODUCTION) else Stage.REGISTERED
