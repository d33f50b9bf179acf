import stat
import subprocess

import pytest

from infra.local.credentials import Credentials
from infra.local.environment import (
    aws_environment,
    ensure_credentials,
    read_env,
    stack_credentials,
    stack_environment,
    write_env,
)
from infra.local.errors import LocalStackError
from infra.local.settings import Settings


def test_the_file_has_what_the_design_names(tmp_path):
    settings = Settings(home=tmp_path)
    ensure_credentials(settings)
    key = stack_credentials(settings)
    assert stack_environment(settings, "secret") == {
        "MLOPS_API_URL": "http://localhost:8000",
        "MLOPS_API_KEY": "secret",
        "MLFLOW_TRACKING_URI": "http://localhost:5000",
        "AWS_ENDPOINT_URL": "http://localhost:4566",
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
    }


def test_the_key_is_made_once_and_for_the_owner_alone(tmp_path):
    settings, other = Settings(home=tmp_path), Settings(home=tmp_path / "other")
    other.home.mkdir()
    ensure_credentials(settings)
    key = stack_credentials(settings)
    assert stat.S_IMODE(settings.env_file.stat().st_mode) == 0o600
    ensure_credentials(settings)
    assert stack_credentials(settings) == key
    ensure_credentials(other)
    assert stack_credentials(other) != key
    assert key.secret_access_key not in repr(key)


def test_a_stack_of_the_version_before_gets_a_key_and_keeps_the_rest(tmp_path):
    settings = Settings(home=tmp_path)
    before = {"MLOPS_API_KEY": "kept", "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test"}
    write_env(settings.env_file, before)
    with pytest.raises(LocalStackError, match="make up"):
        aws_environment(settings)
    ensure_credentials(settings)
    variables = read_env(settings.env_file)
    assert variables["MLOPS_API_KEY"] == "kept"
    assert Credentials.from_environment(variables) == stack_credentials(settings)


@pytest.mark.parametrize("key_id", ["", "test", "000000000000", "AKIAIOSFODNN7EXAMPLE"])
def test_a_key_that_somebody_could_guess_is_none(key_id):
    variables = {"AWS_ACCESS_KEY_ID": key_id, "AWS_SECRET_ACCESS_KEY": "x" * 40}
    assert Credentials.from_environment(variables) is None


def test_a_shell_and_python_read_the_same(tmp_path):
    variables = {"PLAIN": "a", "AWKWARD": 'it\'s $HOME & "more"', "EMPTY": ""}
    path = tmp_path / "env"
    write_env(path, variables)
    assert read_env(path) == variables
    command = f"set -a; . {path}; set +a; printf '%s' \"$AWKWARD\""
    assert subprocess.check_output(["sh", "-c", command], text=True) == variables["AWKWARD"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_missing_file_is_no_variables(tmp_path):
    assert read_env(tmp_path / "none") == {}
