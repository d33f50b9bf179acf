"""infra/terraform/: it says what `make deploy` does, names what the template has, and Terraform can read it."""

import json
import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from infra.deploy.images import IMAGES, KEPT_IMAGES, LAMBDA_READS, LIFECYCLE
from tests.template.reading import ROOT, TEMPLATE, read

MODULE = ROOT / "infra" / "terraform"
TEXT = {path.name: path.read_text() for path in sorted(MODULE.glob("*.tf"))}
ALL = "\n".join(TEXT.values())


@pytest.fixture
def terraform(tmp_path: Path) -> str:
    """The program, and the module in the folder that the test runs it in."""
    program = shutil.which("terraform") or shutil.which("tofu")
    if program is None:
        pytest.skip("neither terraform nor tofu is installed")
    shutil.copytree(MODULE, tmp_path / "module")
    return program


def test_it_is_written_as_terraform_formats_it(terraform: str, tmp_path: Path) -> None:
    """A file that Terraform cannot parse, it cannot format either."""
    done = subprocess.run(
        [terraform, "fmt", "-check", "-diff", "module"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.slow
def test_terraform_finds_it_valid(terraform: str, tmp_path: Path) -> None:
    folder = tmp_path / "module"
    made = subprocess.run(
        [terraform, "init", "-backend=false", "-input=false"],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    if made.returncode and "provider" in made.stderr:
        pytest.skip("Terraform cannot get its provider for AWS here")
    assert made.returncode == 0, made.stderr
    done = subprocess.run([terraform, "validate", "-json"], cwd=folder, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["valid"], done.stdout


def test_each_variable_is_declared_described_and_used() -> None:
    declared = re.findall(r'^variable "(\w+)" \{\n  description = "(.{20,})"$', TEXT["variables.tf"], re.M)
    names = re.findall(r'^variable "(\w+)"', ALL, re.M)
    assert sorted(name for name, _ in declared) == sorted(names)
    assert set(re.findall(r"\bvar\.(\w+)", TEXT["main.tf"])) == set(names)


def test_each_reference_leads_to_a_resource() -> None:
    made = {f"{kind}.{name}" for kind, name in re.findall(r'^(?:resource|data) "(\w+)" "(\w+)"', ALL, re.M)}
    asked = set(re.findall(r"\b(aws_\w+\.\w+)", re.sub(r'"[^"$]*"', '""', ALL)))
    assert asked <= made
    locals_made = set(re.findall(r"^  (\w+) +=", TEXT["main.tf"].partition("locals {")[2].partition("\n}")[0], re.M))
    assert set(re.findall(r"\blocal\.(\w+)", ALL)) == locals_made


def test_it_names_parameters_and_outputs_that_the_template_has() -> None:
    template = read(TEMPLATE)
    block = TEXT["main.tf"].partition("parameters = merge(var.parameters, {")[2].partition("})")[0]
    given = set(re.findall(r"^ +(\w+) +=", block, re.M))
    assert given == {"Environment", *IMAGES}
    assert given <= template["Parameters"].keys()
    assert set(re.findall(r'outputs\["(\w+)"\]', ALL)) <= template["Outputs"].keys()


def test_repositories_and_rights_are_those_of_make_deploy() -> None:
    main = TEXT["main.tf"]
    assert f"countNumber = {KEPT_IMAGES}" in main
    (rule,) = LIFECYCLE["rules"]
    assert str(rule["description"]) in main
    for action in LAMBDA_READS["Statement"][0]["Action"]:  # type: ignore[index]
        assert f'"{action}"' in main
    assert {name for name, _ in IMAGES.values()} == set(re.findall(r'toset\(\["(\w+)", "(\w+)"\]\)', main)[0])
    config = tomllib.loads((ROOT / "samconfig.toml").read_text())
    for capability in config["default"]["deploy"]["parameters"]["capabilities"].split():
        assert f'"{capability}"' in main
