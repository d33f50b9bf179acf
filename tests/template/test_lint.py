"""cfn-lint on what people write and on what SAM makes of it: a circular template passes on the source alone."""

import copy
import json
from pathlib import Path

import pytest
from cfnlint import api
from cfnlint.config import ManualArgs

from tests.template import reading
from tests.template.reading import Document

# In what SAM generates, and there alone.
GENERATED_IGNORED = {
    # SAM wraps each path of an API that has a condition into an Fn::If with that same condition.
    "W1028",
    # SAM itself decides by GradualDeployment whether there are CodeDeploy's resources, so that nothing refers to it any
    # more. The source is still looked through for parameters that nobody uses.
    "W2001",
}


def lint(template: str, ignored: set[str] = frozenset()) -> list[str]:
    found = api.lint(template, config=ManualArgs(regions=["us-east-1"], ignore_checks=sorted(ignored)))
    return [f"{match.rule.id} line {match.linenumber}: {match.message}" for match in found]


@pytest.mark.parametrize("path", [reading.TEMPLATE, *reading.NESTED.values()], ids=lambda path: path.name)
def test_source_is_clean(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(reading.ROOT)
    assert lint(path.read_text()) == []


@pytest.mark.slow
@pytest.mark.parametrize("environment", ["local", "dev"])
def test_generated_template_is_clean(generated: dict[str, Document], environment: str) -> None:
    assert lint(json.dumps(generated[environment], indent=1), GENERATED_IGNORED) == []


@pytest.mark.slow
def test_lint_notices_what_it_is_relied_on_for(generated: dict[str, Document]) -> None:
    circular = copy.deepcopy(generated["dev"])
    circular["Resources"]["MigrationLogs"]["DependsOn"] = "TrackingApi"
    assert any(line.startswith("E3004") for line in lint(json.dumps(circular), GENERATED_IGNORED))


@pytest.mark.parametrize("environment", ["local", "dev"])
def test_nothing_is_circular(generated: dict[str, Document], environment: str) -> None:
    template = reading.carried_out(generated[environment], environment)
    circles = [name for name in template["Resources"] if name in reading.all_needs(template, name)]
    assert circles == []


def test_transforming_needs_no_choice_of_environment(generated: dict[str, Document]) -> None:
    """CloudFormation transforms before it decides conditions, so that both must come out the same."""
    assert generated["local"]["Resources"].keys() == generated["dev"]["Resources"].keys()
