"""`make invoke`: a function in a process of one's own, against the session's stack."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from infra.local.settings import ROOT
from tests.support.event_outcomes import outcome_of, told


@pytest.fixture
def invoke(stack):
    """Run the command; returns the process that has ended."""

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "tools.invoke", *arguments],
            cwd=ROOT,
            env={**os.environ, **stack.settings.to_environment(), "AWS_PROFILE": "nobody"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    return run


def answer_of(ran: subprocess.CompletedProcess[str]) -> dict:
    assert ran.returncode == 0, ran.stderr
    found: dict = json.loads(ran.stdout[ran.stdout.index("{\n") :])
    return found


def test_a_function_answers_its_own_event_with_the_key_of_the_stack(invoke):
    answer = answer_of(invoke("training"))
    assert answer["statusCode"] == 200
    assert "jobs" in json.loads(answer["body"])


def test_an_event_of_ones_own(invoke, tmp_path: Path):
    event = json.loads((ROOT / "events" / "portal.json").read_text())
    event["path"] = event["resource"] = event["requestContext"]["path"] = "/nowhere"
    (tmp_path / "event.json").write_text(json.dumps(event))
    assert answer_of(invoke("portal", str(tmp_path / "event.json")))["statusCode"] == 404


def outcome(ran: subprocess.CompletedProcess[str]) -> str:
    """What the table of the docs says of a run."""
    if ran.returncode:
        return ran.stderr.strip().splitlines()[-1].removeprefix("error: ")
    # The function's own log lines come first, each on one line.
    begins = list(re.finditer(r"^(\{$|\{\}$|\[|null$)", ran.stdout, re.M))[-1].start()
    return outcome_of(json.loads(ran.stdout[begins:]))


@pytest.mark.slow
def test_the_table_of_the_docs_is_what_a_run_of_every_event_gives(invoke, production_model):
    events = sorted(path.stem for path in (ROOT / "events").iterdir())
    assert told() == {name: outcome(invoke(name)) for name in events}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nothing", "there is no function 'nothing'; choose one of: batch_predictions, cleanup, deletions, drift, "),
        ("migration", "it exists on AWS only"),
        ("tracking", "make up runs it as a server"),
    ],
)
def test_what_cannot_run_here_is_said(invoke, name: str, said: str):
    ran = invoke(name)
    assert (ran.returncode, ran.stdout) == (1, "")
    assert said in ran.stderr
