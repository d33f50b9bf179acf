import json
import re
from typing import get_args

from infra.local.settings import ROOT
from mlops.api.schemas.transitions import TransitionRequest
from mlops.domain.stages import ALIASES, ALLOWED, DISPLACED_TO, Stage, stage_of


def test_every_stage_is_in_the_table_and_leads_only_to_stages():
    assert set(ALLOWED) == set(Stage)
    assert all(target in Stage for targets in ALLOWED.values() for target in targets)


def test_every_stage_can_be_reached_from_training():
    reached, waiting = set(), [Stage.TRAINING]
    while waiting:
        stage = waiting.pop()
        if stage not in reached:
            reached.add(stage)
            waiting += ALLOWED[stage]
    assert reached == set(Stage)


def test_whoever_is_replaced_goes_where_the_lifecycle_allows():
    assert all(target in ALLOWED[stage] for stage, target in DISPLACED_TO.items())
    assert set(DISPLACED_TO) == set(ALIASES)


def test_going_back_to_production_is_allowed_from_archived_only():
    assert Stage.PRODUCTION in ALLOWED[Stage.ARCHIVED]
    assert Stage.REGISTERED not in ALLOWED[Stage.ARCHIVED]


def test_the_alias_decides_and_the_tag_only_tells_archived_from_registered():
    aliases = {"production": 3, "staging": 4}
    assert stage_of(aliases, 3, "Archived") is Stage.PRODUCTION
    assert stage_of(aliases, 4, None) is Stage.STAGING
    assert stage_of(aliases, 2, "Archived") is Stage.ARCHIVED
    # It was in Production a moment ago and has been replaced; its tag has not followed yet.
    assert stage_of(aliases, 2, "Production") is Stage.ARCHIVED
    assert stage_of({}, 1, None) is Stage.REGISTERED


def test_the_board_offers_the_steps_of_the_lifecycle_that_can_be_asked_for():
    """The console's script cannot read the table, so this holds the two together."""
    script = (ROOT / "console/src/views/lifecycle.ts").read_text()
    (literal,) = re.findall(r"const MOVES: .*? = (\{.*?\});", script, re.S)
    offered = json.loads(re.sub(r",\s*}", "}", re.sub(r"(\w+):", r'"\1":', literal)))
    asked_for = set(get_args(TransitionRequest.model_fields["stage"].annotation))
    on_the_board = set(Stage) - {Stage.TRAINING}  # a run, no version yet
    assert {stage: set(stages) for stage, stages in offered.items()} == {
        stage: ALLOWED[stage] & asked_for for stage in on_the_board
    }
