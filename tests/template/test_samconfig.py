"""samconfig.toml says only what the template knows."""

import tomllib

import pytest

from tests.template import reading
from tests.template.reading import Document

CONFIG = tomllib.loads((reading.ROOT / "samconfig.toml").read_text())
# SAM calls what is used without --config-env default.
ENVIRONMENTS = {"default": "dev", "staging": "staging", "prod": "prod"}


def test_every_environment_of_aws_has_a_section(source: Document) -> None:
    assert CONFIG.keys() - {"version"} == ENVIRONMENTS.keys()
    assert {*ENVIRONMENTS.values(), "local"} == set(source["Parameters"]["Environment"]["AllowedValues"])


@pytest.mark.parametrize("section", ENVIRONMENTS)
def test_an_environment_is_a_stack_of_its_own_with_valid_parameters(source: Document, section: str) -> None:
    config, environment = CONFIG[section], ENVIRONMENTS[section]
    assert config["global"]["parameters"]["stack_name"] == f"mlops-{environment}"
    overrides = dict(each.split("=", 1) for each in config["deploy"]["parameters"]["parameter_overrides"])
    assert overrides["Environment"] == environment
    for name, value in overrides.items():
        declared = source["Parameters"][name]
        assert value in declared.get("AllowedValues", [value]), name
        assert value != str(declared.get("Default")) or name == "Environment", f"{name} is that by default"


def test_production_is_asked_for_twice() -> None:
    assert CONFIG["prod"]["deploy"]["parameters"]["confirm_changeset"] is True


@pytest.mark.parametrize("section", ENVIRONMENTS)
def test_layers_are_built_anew_because_their_pins_lie_outside_their_folders(section: str) -> None:
    assert CONFIG[section]["build"]["parameters"]["cached"] is False
