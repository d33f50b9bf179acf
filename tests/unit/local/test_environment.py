import os
import shutil
import stat
import subprocess

import pytest

from infra.local import deploy
from infra.local.credentials import Credentials
from infra.local.environment import (
    aws_environment,
    child_environment,
    ensure_credentials,
    read_env,
    stack_credentials,
    stack_environment,
    write_env,
)
from infra.local.errors import LocalStackError
from infra.local.settings import Settings


def test_the_file_has_what_the_design_names(tmp_path, monkeypatch):
    monkeypatch.setenv("NO_PROXY", "intranet.example")
    settings = Settings(home=tmp_path)
    ensure_credentials(settings)
    key = stack_credentials(settings)
    assert stack_environment(settings, "secret") == {
        "MLOPS_API_URL": "http://127.0.0.1:8000",
        "MLOPS_API_KEY": "secret",
        "MLFLOW_TRACKING_URI": "http://127.0.0.1:5000",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:4566",
        "AWS_ACCESS_KEY_ID": key.access_key_id,
        "AWS_SECRET_ACCESS_KEY": key.secret_access_key,
        "AWS_DEFAULT_REGION": "us-east-1",
        "NO_PROXY": "intranet.example,localhost,127.0.0.1",
        "no_proxy": "intranet.example,localhost,127.0.0.1",
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


ELSEWHERE = {
    "AWS_PROFILE": "work",
    "AWS_DEFAULT_PROFILE": "work",
    "AWS_SESSION_TOKEN": "of another key",
    "AWS_ENDPOINT_URL_S3": "https://s3.example.com",
    "AWS_ENDPOINT_URL_DYNAMODB": "https://dynamodb.example.com",
    "AWS_CONFIG_FILE": "/nonexistent",
}


@pytest.mark.parametrize("shell", ["sh", "bash", "dash", "zsh"])
def test_a_shell_that_loads_the_file_forgets_its_own_aws(tmp_path, shell):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    path = tmp_path / "env"
    write_env(path, {"AWS_ENDPOINT_URL": "http://127.0.0.1:4566"})
    command = f"set -eu; set -a; . {path}; set +a; env"
    for variables in (ELSEWHERE, {}):
        environment = {"PATH": os.environ["PATH"], "HOME": "/home/me", **variables}
        lines = subprocess.check_output([shell, "-c", command], text=True, env=environment).splitlines()
        assert [line for line in lines if line.startswith("AWS_")] == ["AWS_ENDPOINT_URL=http://127.0.0.1:4566"]
        assert "HOME=/home/me" in lines


def test_a_process_of_the_stack_gets_nothing_that_leads_it_elsewhere(monkeypatch):
    elsewhere = {**ELSEWHERE, "PGPORT": "1", "PGSERVICE": "x", "PYTHONPATH": "/x", "MLFLOW_TRACKING_URI": "http://x"}
    for name, value in {**elsewhere, "HTTP_PROXY": "http://proxy.example:3128"}.items():
        monkeypatch.setenv(name, value)
    variables = child_environment()
    assert not elsewhere.keys() & variables.keys()
    assert variables["HTTP_PROXY"] == "http://proxy.example:3128"
    assert {"localhost", "127.0.0.1"} <= set(variables["NO_PROXY"].split(","))
    assert variables["PATH"] == os.environ["PATH"]


def test_the_stacks_own_client_goes_to_the_stack_whatever_the_shell_says(tmp_path, monkeypatch):
    settings = Settings(home=tmp_path)
    ensure_credentials(settings)
    for name, value in {**ELSEWHERE, "AWS_USE_FIPS_ENDPOINT": "true", "AWS_USE_DUALSTACK_ENDPOINT": "true"}.items():
        monkeypatch.setenv(name, value)
    client = deploy.client(settings, "s3")
    assert client.meta.endpoint_url == settings.aws_url
    request = client.generate_presigned_url("get_object", Params={"Bucket": "b", "Key": "k"})
    assert request.startswith(f"{settings.aws_url}/b/k?")
    assert stack_credentials(settings).access_key_id in request
    assert "of+another" not in request


def test_a_missing_file_is_no_variables(tmp_path):
    assert read_env(tmp_path / "none") == {}
