"""Commands in the prose of the documentation exist, with the options and in the form that they have there."""

import re
import shlex
from pathlib import Path
from typing import Any

import pytest
import typer

from infra.local.settings import ROOT
from mlops_client.cli import app

PAGES = ("coming-from", "promote", "labels", "tutorial", "rollouts", "governance", "batch-predictions", "own-code")
COMMAND = re.compile(r"`(mlops [^`]+)`")
GROUP: Any = typer.main.get_command(app)


def commands(page: Path) -> list[str]:
    """The commands between backticks that are whole: without places to fill in."""
    found = COMMAND.findall(re.sub(r"^```.*?^```", "", page.read_text(), flags=re.MULTILINE | re.DOTALL))
    return [" ".join(line.split()) for line in found if "…" not in line]


@pytest.mark.parametrize("page", PAGES)
def test_commands_in_the_text_are_commands(page: str) -> None:
    for line in commands(ROOT / "docs" / f"{page}.md"):
        _, *words = shlex.split(line)
        command = GROUP
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        assert command is not GROUP, f"{line}: there is no such command"
        known = {option for parameter in command.params for option in parameter.opts}
        for word in words:
            if word.startswith("-"):
                assert word.split("=")[0] in known, f"{line}: there is no option {word}"


def test_whole_commands_side_by_side_are_read_as_they_stand() -> None:
    lines = commands(ROOT / "docs" / "coming-from.md")
    assert len(lines) >= 20
    for line in lines:
        _, *words = shlex.split(line)
        command = GROUP
        while words and words[0] in getattr(command, "commands", {}):
            command = command.commands[words.pop(0)]
        command.make_context("mlops", words)


def test_what_costs_money_while_nobody_asks_is_said_where_it_is_said_to_scale_to_zero() -> None:
    cost = (ROOT / "docs" / "cost.md").read_text()
    figures = re.findall(r"^\| (?:database|its storage).* \| ([\d.]+) \|$", cost, re.M)
    assert round(sum(map(float, figures))) == 14
    for page in (ROOT / "README.md", ROOT / "docs" / "coming-from.md"):
        text = " ".join(page.read_text().split())
        assert "ompute scales to zero" in text, page.name
        assert "about $14 a month" in text, page.name
