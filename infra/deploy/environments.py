"""Environments as samconfig.toml describes them."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.deploy.errors import DeployError
from infra.local.packaging import read_template

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "samconfig.toml"
# SAM uses the section `default` without --config-env.
SECTIONS = {"dev": "default"}


@dataclass(frozen=True)
class DeployEnvironment:
    """`section` is SAM's --config-env; `parameters` are the template's, by name."""

    name: str
    section: str
    stack: str
    parameters: Mapping[str, str]


def environment(name: str, overrides: Sequence[str] = ()) -> DeployEnvironment:
    """Read an environment of samconfig.toml; `overrides` are parameters of the command line, each `Name=value`.

    `sam deploy --parameter-overrides` would replace the whole list of the file, so the two are joined here, and with
    the defaults of the template.

    Raises:
        DeployError: There is no such environment, or an override has no `=` or names no parameter of the template.
    """
    config = tomllib.loads(CONFIG.read_text())
    section = SECTIONS.get(name, name)
    if section not in config or (section in ("version", *SECTIONS.values()) and name == section):
        known = ", ".join([*SECTIONS, *(other for other in config if other not in ("version", *SECTIONS.values()))])
        raise DeployError(f"there is no environment {name!r} in samconfig.toml; ENV is one of {known}")
    pairs = [*config[section]["deploy"]["parameters"].get("parameter_overrides", []), *overrides]
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise DeployError(
            f"{wrong[0]!r} is not a parameter: write PARAMETERS='Name=value Other=\"a value with spaces\"'"
        )
    declared = read_template(ROOT / "template.yaml")["Parameters"]
    given = dict(pair.split("=", 1) for pair in pairs)
    if unknown := given.keys() - declared.keys():
        raise DeployError(f"the template has no parameter {min(unknown)!r}; docs/deploy.md lists all of them")
    parameters = {name: str(each["Default"]) for name, each in declared.items() if "Default" in each} | given
    if parameters.get("Environment") != name:
        raise DeployError(f"ENV sets Environment to {name!r}; leave it out of PARAMETERS")
    return DeployEnvironment(name, section, config[section]["global"]["parameters"]["stack_name"], parameters)
