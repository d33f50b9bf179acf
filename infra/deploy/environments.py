"""What samconfig.toml says of an environment, so that it is said in one place."""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.deploy.errors import DeployError

ROOT = Path(__file__).resolve().parents[2]
CONFIG = ROOT / "samconfig.toml"
# SAM calls what is used without --config-env default.
SECTIONS = {"dev": "default"}


@dataclass(frozen=True)
class DeployEnvironment:
    """`section` is SAM's --config-env; `parameters` are the template's, by name."""

    name: str
    section: str
    stack: str
    parameters: Mapping[str, str]


def environment(name: str, overrides: Sequence[str] = ()) -> DeployEnvironment:
    """An environment of samconfig.toml with parameters of the command line on top, each `Name=value`.

    `sam deploy --parameter-overrides` replaces the file's list as a whole, so that both are joined here.

    Raises:
        DeployError: there is no such environment, or an override has no `=`.
    """
    config = tomllib.loads(CONFIG.read_text())
    section = SECTIONS.get(name, name)
    if section not in config or (section in ("version", *SECTIONS.values()) and name == section):
        known = ", ".join([*SECTIONS, *(each for each in config if each not in ("version", *SECTIONS.values()))])
        raise DeployError(f"there is no environment {name!r} in samconfig.toml; ENV is one of {known}")
    pairs = [*config[section]["deploy"]["parameters"].get("parameter_overrides", []), *overrides]
    wrong = [pair for pair in pairs if "=" not in pair]
    if wrong:
        raise DeployError(f'{wrong[0]!r} is no parameter: write PARAMETERS="Name=value Other=value"')
    parameters = dict(pair.split("=", 1) for pair in pairs)
    if parameters.get("Environment") != name:
        raise DeployError(f"Environment is {name!r} by ENV; leave it out of PARAMETERS")
    return DeployEnvironment(name, section, config[section]["global"]["parameters"]["stack_name"], parameters)
