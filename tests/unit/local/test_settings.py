import shutil
import subprocess
import sys

import pytest
import yaml

from infra.local.errors import LocalStackError
from infra.local.settings import HOST, ROOT, Settings


def test_defaults_are_the_documented_ports():
    settings = Settings.from_environment({})
    assert (settings.api_port, settings.tracking_port, settings.aws_port) == (8000, 5000, 4566)
    assert settings.home == ROOT / ".local"
    assert settings.batch_slots >= 1


def test_a_child_process_gets_the_same_settings(tmp_path):
    given = {"MLOPS_API_PORT": "1234", "MLOPS_LOCAL_DIR": str(tmp_path / "x"), "MLOPS_BATCH_SLOTS": "3"}
    settings = Settings.from_environment(given)
    assert Settings.from_environment(settings.to_environment()) == settings


@pytest.mark.parametrize("value", ["0", "65536", "http", "-1", "80.5"])
def test_a_port_that_is_none_is_refused_by_name(value):
    with pytest.raises(LocalStackError, match="MLOPS_AWS_PORT"):
        Settings.from_environment({"MLOPS_AWS_PORT": value})


def test_two_servers_on_one_port_are_refused_by_name():
    with pytest.raises(LocalStackError, match=r"MLOPS_API_PORT and MLOPS_TRACKING_PORT are both 5000"):
        Settings.from_environment({"MLOPS_API_PORT": "5000"})


def test_addresses_are_those_that_are_bound():
    settings = Settings(api_port=1, tracking_port=2, aws_port=3)
    assert [settings.api_url, settings.tracking_url, settings.aws_url] == [
        f"http://{HOST}:{port}" for port in (1, 2, 3)
    ]


@pytest.mark.parametrize("name", ["a b", "R&D (v1) #2", "100%", "it's", "ü", "a;b,c=d", "[x]{y}*?!~"])
def test_a_folder_may_have_almost_any_name(tmp_path, name):
    assert Settings.from_environment({"MLOPS_LOCAL_DIR": str(tmp_path / name)}).home == tmp_path / name


@pytest.mark.parametrize("name", ["a:b", 'a"b', "a$b", "a`b", "a\\b", "a\nb"])
def test_a_folder_that_cannot_work_is_refused_in_one_line(tmp_path, name):
    with pytest.raises(LocalStackError, match=r"MLOPS_LOCAL_DIR .* name another folder") as refused:
        Settings.from_environment({"MLOPS_LOCAL_DIR": str(tmp_path / name)})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("name", ["100%", "a:b"])
def test_a_checkout_in_which_it_cannot_work_is_refused_in_one_line(tmp_path, name):
    checkout = tmp_path / name
    shutil.copytree(ROOT / "infra/local", checkout / "infra/local", ignore=shutil.ignore_patterns("__pycache__"))
    command = [sys.executable, "-m", "infra.local", "up"]
    ran = subprocess.run(command, cwd=checkout, capture_output=True, text=True)
    assert ran.returncode == 1
    (line,) = ran.stderr.splitlines()
    assert line.startswith("error: the checkout ")
    assert line.endswith("in its path, which is not supported: move it to another folder")
    assert not (checkout / ".local").exists()


def test_containers_of_compose_leave_the_ports_of_the_stack_alone():
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    published = [port.split(":") for service in services.values() for port in service["ports"]]
    assert {host for host, *_ in published} == {"127.0.0.1"}
    assert not {int(port) for _, port, _ in published} & set(Settings().ports().values())
