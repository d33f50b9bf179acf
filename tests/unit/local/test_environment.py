import stat
import subprocess

from infra.local.environment import read_env, stack_environment, write_env
from infra.local.settings import Settings


def test_the_file_has_what_the_design_names(tmp_path):
    variables = stack_environment(Settings(home=tmp_path), "secret")
    assert variables == {
        "MLOPS_API_URL": "http://localhost:8000",
        "MLOPS_API_KEY": "secret",
        "MLFLOW_TRACKING_URI": "http://localhost:5000",
        "AWS_ENDPOINT_URL": "http://localhost:4566",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }


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
