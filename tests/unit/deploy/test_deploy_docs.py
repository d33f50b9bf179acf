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
