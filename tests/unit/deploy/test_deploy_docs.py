"""docs/deploy.md says of each parameter what the template says."""

import re
from pathlib import Path

import pytest
from samtranslator.yaml_helper import yaml_parse

ROOT = Path(__file__).resolve().parents[3]
DOCS = ROOT / "docs"
ROW = re.compile(r"^\| `(\w+)` \| (?:`(.*?)`|empty) \| (.+) \|$", re.MULTILINE)


def test_every_parameter_stands_in_the_docs_as_it_is() -> None:
    declared = yaml_parse((ROOT / "template.yaml").read_text())["Parameters"]
    written = {name: (default or "", text) for name, default, text in ROW.findall((DOCS / "deploy.md").read_text())}
    assert written == {
        name: (str(each.get("Default", "")), str(each["Description"])) for name, each in declared.items()
    }


@pytest.mark.parametrize("name", ["deploy", "operations", "security", "cost", "local"])
def test_make_targets_in_the_docs_are_there(name: str) -> None:
    targets = set(re.findall(r"^([a-z][a-z-]*):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z][a-z-]*)", (DOCS / f"{name}.md").read_text()))
    assert named <= targets


@pytest.mark.parametrize("name", ["deploy", "operations", "security", "cost", "local"])
def test_files_in_the_docs_are_there(name: str) -> None:
    text = (DOCS / f"{name}.md").read_text()
    named = re.findall(r"`((?:infra|functions|layers|docs|events|tests|\.github)/[\w./-]+\.\w+)`", text)
    links = re.findall(r"\]\((\w+\.md)", text)
    assert [each for each in named if not (ROOT / each).exists()] == []
    assert [each for each in links if not (DOCS / each).exists()] == []


def test_every_role_stands_in_the_docs() -> None:
    """Roles of functions by SAM's naming, and those that the template declares."""
    resources = yaml_parse((ROOT / "template.yaml").read_text())["Resources"]
    roles = {
        name if each["Type"] == "AWS::IAM::Role" else f"{name}Role"
        for name, each in resources.items()
        if each["Type"] in ("AWS::IAM::Role", "AWS::Serverless::Function")
    }
    written = set(re.findall(r"^\| (\w+Role) \|", (DOCS / "security.md").read_text(), re.MULTILINE))
    assert written == roles


def test_actions_are_pinned_by_commit() -> None:
    for path in (ROOT / ".github" / "workflows").iterdir():
        used = re.findall(r"uses: (?!\./)(\S+)", path.read_text())  # those of other repositories
        assert [each for each in used if not re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", each)] == [], path.name


def test_every_skipped_check_has_its_reason() -> None:
    lines = (ROOT / ".checkov.yaml").read_text().partition("skip-check:\n")[2].splitlines()
    assert lines[0].strip().startswith("#")
    assert all(line.strip().startswith(("#", "- CKV")) for line in lines)


WALK = (DOCS / "deploy.md").read_text().partition("## From a new account")[2].partition("\n## ")[0]
STEPS = re.findall(r"^\| (\d+)\. (.+?) \| (.+?) \| (.+?) \| (.+?) \| (.*?) ?\|$", WALK, re.M)


def test_each_step_of_the_walk_says_what_it_costs_and_how_to_undo_it() -> None:
    assert [int(number) for number, *_ in STEPS] == list(range(1, len(STEPS) + 1))
    for number, _, _, made, cost, undo in STEPS:
        assert re.search(r"\d", cost), number
        assert undo or made.startswith("nothing"), number


def test_the_commands_of_the_walk_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.M))
    commands = (ROOT / "docs" / "cli.md").read_text()
    found = re.findall(r"`(?:\w+=\S+ )*(make|mlops) ([a-z-]+)([^`]*)`", WALK)
    assert len(found) > 10
    for program, name, rest in found:
        if program == "make":
            assert name in targets, name
        else:
            section = commands.partition(f"## `mlops {name}`\n")[2].partition("\n## ")[0]
            assert section, name
            assert all(option in section for option in re.findall(r"--[a-z-]+", rest)), (name, rest)


def test_the_walk_costs_what_the_page_on_cost_reckons() -> None:
    page = (ROOT / "docs" / "cost.md").read_text()
    costs = {step: cost for _, step, _, _, cost, _ in STEPS}
    for step, numbers in {"deploy": ["**about 20**"], "train": ["0.0012", "0.0035"], "predict": ["about 5.60"]}.items():
        for number in numbers:
            assert number in page
            assert number.strip("*").removeprefix("about ") in costs[step], step
