"""The workflow that deploys: its login lasts as long as it may take, and it downloads no CUDA."""

from typing import Any

import pytest
import yaml

from infra.deploy.environments import ROOT

WORKFLOWS = ROOT / ".github" / "workflows"
INSTALLS = ("make install", "make deploy", "make coverage")


def jobs(name: str) -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((WORKFLOWS / name).read_text())["jobs"]
    return found


def test_the_login_lasts_as_long_as_the_job_may_take() -> None:
    """AWS's default is one hour, after which the deployment would fail with its stack half made."""
    job = jobs("deploy.yaml")["deploy"]
    (login,) = [step["with"] for step in job["steps"] if "configure-aws-credentials" in step.get("uses", "")]
    assert login["role-duration-seconds"] >= 60 * job["timeout-minutes"]


@pytest.mark.parametrize("name", ["deploy.yaml", "test.yaml"])
def test_whatever_installs_pytorch_knows_where_its_builds_for_cpus_are(name: str) -> None:
    installing = {
        job: each
        for job, each in jobs(name).items()
        if any(str(step.get("run", "")).startswith(INSTALLS) for step in each["steps"])
    }
    assert installing
    for job, each in installing.items():
        wanted = each.get("env", {}).get("EXTRA_INDEX_URL", "")
        assert wanted.startswith("${{ vars.EXTRA_INDEX_URL || 'https://"), job
        assert "/cpu'" in wanted, job
