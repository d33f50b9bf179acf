"""CONTRIBUTING.md: what its commands and sentences name is there."""

import re
import shlex

import pytest

from infra.local.settings import ROOT

PAGE = (ROOT / "CONTRIBUTING.md").read_text()
BOXES = re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
LINES = [shlex.split(line, comments=True) for box in BOXES for line in box.splitlines() if line.strip()]
INLINE = [shlex.split(code) for code in re.findall(r"`(\b(?:pytest|make) [^`]+)`", PAGE)]
COMMANDS = [command for command in [*LINES, *INLINE] if command[0] in ("make", "pytest")]
TARGETS = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
MADE_BY_A_READER = {"my_event.json"}


def test_it_answers_what_a_contributor_asks() -> None:
    questions = re.findall(r"^## (.+\?)$", PAGE, re.MULTILINE)
    for words in ("one test", "debug one function", "add a function", "add a model type", "next ministack", "commit"):
        assert sum(words in question for question in questions) == 1, words
    assert len(COMMANDS) > 15


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_targets_and_files_of_a_command_are_there(command: list[str]) -> None:
    if command[0] == "make":
        names = [word for word in command[1:] if "=" not in word and word not in ("&&", "make")]
        assert set(names) <= TARGETS
    paths = [word for argument in command for word in re.split(r"[ =]", argument) if "/" in word or ".json" in word]
    assert [path for path in paths if path not in MADE_BY_A_READER and not (ROOT / path).exists()] == []


def test_files_and_folders_of_the_text_are_there() -> None:
    named = re.findall(r"`((?:[\w.]+/)[\w./-]*|[\w.-]+\.(?:yaml|toml|txt|md))`", PAGE)
    assert len(named) > 10
    assert [each for each in named if not (ROOT / each).exists()] == []


@pytest.mark.parametrize(
    ("file", "name"), [("tools/openapi.py", "ROUTED"), ("training_container/trainer/models/registry.py", "BUILT_IN")]
)
def test_names_of_the_code_are_there(file: str, name: str) -> None:
    assert f"`{file}`" in PAGE
    assert f"`{name}`" in PAGE
    assert re.search(rf"^{name}\b.* = ", (ROOT / file).read_text(), re.MULTILINE)


def test_names_that_select_tests_are_in_names_of_tests() -> None:
    selections = [(c[c.index("-k") - 1], c[c.index("-k") + 1]) for c in COMMANDS if "-k" in c]
    assert selections
    for folder, word in selections:
        assert any(re.search(rf"^def test_\w*{word}", path.read_text(), re.M) for path in (ROOT / folder).rglob("*.py"))
