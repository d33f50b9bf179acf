"""The whole stack: what `up`, `down` and `status` do, for the command line and for tests alike."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from infra.local import deploy, engines, folder, removal
from infra.local.aws.batch.store import leftover_processes
from infra.local.database import Database
from infra.local.environment import (
    aws_environment,
    child_environment,
    ensure_credentials,
    read_env,
    stack_environment,
    write_env,
)
from infra.local.errors import LocalStackError
from infra.local.localstack.build import install
from infra.local.localstack.engine import Engine
from infra.local.model_types import model_types, publish
from infra.local.services import Service, aws_of, tracking_service
from infra.local.settings import LOCALSTACK, STACK_NAME, Settings

LOCAL_KEY = "local"
"""Name and owner of the stack's own key."""

Say = Callable[[str], None]
T = TypeVar("T")


@dataclass(frozen=True)
class Row:
    """One line of `status`."""

    name: str
    state: str
    pid: int | None
    address: str
    healthy: bool


class Stack:
    """One local stack, told apart from others by its ports and its folder."""

    def __init__(self, settings: Settings, say: Say = print) -> None:
        self.settings = settings
        self._say = say
        self._database = Database(settings)
        self._aws = aws_of(settings)

    def up(self) -> dict[str, str]:
        """Start what does not run, deploy what has changed, and return the variables of `.local/env`.

        When it fails, what this call started is stopped again. Raises LocalStackError.
        """
        folder.prepare(self.settings)
        with folder.locked(self.settings, "up"):
            ensure_credentials(self.settings)
            started: list[Callable[[], object]] = []
            try:
                return self._up(started)
            except BaseException:
                for stop in reversed(started):
                    with suppress(Exception):
                        stop()
                raise

    def _up(self, started: list[Callable[[], object]]) -> dict[str, str]:
        began = time.monotonic()
        for service in (self._aws, self._tracking()):
            service.refuse_taken_ports()
        if self.settings.engine:
            self._prepare_engine()
        elif self.settings.emulator == LOCALSTACK:
            self._prepare_localstack()
        if self._database.process() is None:
            started.append(self._database.stop)
            self._step("PostgreSQL", self._database.start)
        # Only MLflow needs the migrated database, and only the API the model types: the AWS and the stack in it come up
        # meanwhile.
        with ThreadPoolExecutor(2) as meanwhile:
            migration = meanwhile.submit(self._migrate)
            printed = meanwhile.submit(model_types, self.settings)
            try:
                self._launch(self._aws, "AWS", started)
                deployed = self._deploy()
                publish(deploy.client(self.settings, "s3"), deployed.outputs["ArtifactBucketName"], printed.result())
                key = self._api_key(deployed)
                migration.result()
            except BaseException:
                self._database.stop_migration()
                raise
        self._launch(self._tracking(deployed.outputs["ArtifactBucketName"]), "MLflow", started)
        variables = stack_environment(self.settings, key)
        write_env(self.settings.env_file, variables)
        self._say(f"the stack is up ({time.monotonic() - began:.1f} s)")
        return variables

    def _prepare_localstack(self) -> None:
        """Install LocalStack, and forget what belongs to one that has ended: its free edition keeps no state."""
        if install(self.settings):
            self._say("LocalStack is installed")
        if not self._aws.current():
            self._down()
            self._database.remove()
            folder.forget(self.settings)

    def _prepare_engine(self) -> None:
        """Refuse a LocalStack that has the stack of another folder; forget what belongs to one that has ended."""
        self._aws.launch()
        present = deploy.describe(self.settings)
        if present is not None and not self.settings.engine_file.exists():
            raise LocalStackError(
                f"the LocalStack at {self.settings.engine} has the stack {STACK_NAME} of another folder: remove that "
                "one with `make reset AWS=localstack` in its checkout, or start another LocalStack"
            )
        if present is None:
            self._down()
            self._database.remove()
            folder.forget(self.settings)
        engines.record(self.settings)

    def _launch(self, service: Service | Engine, name: str, started: list[Callable[[], object]]) -> None:
        """Start a service that does not run as it should, and wait for it."""
        wait = service.launch()
        if wait is not None:
            started.append(service.stop)
            self._step(name, wait)

    def _migrate(self) -> None:
        if self._database.migration_is_due():
            self._step("migration", self._database.migrate)

    def down(self) -> bool:
        """Stop everything, keeping the state; False when nothing ran. Training jobs get 30 s to checkpoint."""
        if not self.settings.home.is_dir():
            return False
        if not self.settings.run_dir.is_dir():
            folder.prepare(self.settings)
        with folder.locked(self.settings, "down", max_wait=60):
            return self._down()

    def _down(self) -> bool:
        if self.settings.engine and self._aws.healthy():
            removal.end_jobs(self.settings)
        stopped = self._aws.stop()
        for _job_id, process in leftover_processes(self.settings.batch_file):
            stopped = process.stop(5) or stopped
        stopped = self._tracking().stop() or stopped
        stopped = self._database.stop_migration() or stopped
        return self._database.stop() or stopped

    def reset(self) -> bool:
        """`down`, then remove the folder with all state; False when there was none."""
        if self.settings.home.exists() and not self.settings.marker.exists():
            folder.remove(self.settings)
        self.down()
        if self.settings.engine and self._aws.healthy():
            removal.remove(self.settings, lambda text: self._say(f"  {text}"))
        self._database.remove()
        return folder.remove(self.settings)

    def status(self) -> list[Row]:
        """A row a process, and one for the deployed stack."""
        database = self._database.process()
        state = "healthy" if database else "stopped"
        rows = [Row("database", state, database.pid if database else None, "unix socket", bool(database))]
        for service in (self._aws, self._tracking()):
            process = service.process()
            healthy = (process is not None or isinstance(service, Engine)) and service.healthy()
            state = "healthy" if healthy else "not answering" if process else "stopped"
            rows.append(Row(service.name, state, process.pid if process else None, service.address, healthy))
        deployed = deploy.describe(self.settings) if rows[1].healthy else None
        # While the AWS is down nothing says what is deployed in it; a finished `up` left the API's key.
        kept = not rows[1].healthy and "MLOPS_API_KEY" in self.env()
        state = deployed.status if deployed else "stopped" if kept else "not deployed"
        rows.append(Row("stack", state, None, self.settings.api_url, deployed is not None and deployed.stands))
        return rows

    def env(self) -> dict[str, str]:
        """The variables `up` wrote; empty before the first `up`."""
        return read_env(self.settings.env_file)

    def logs(self) -> dict[str, Path]:
        """Log file by the name of what writes it."""
        return {path.stem: path for path in sorted(self.settings.log_dir.glob("*.log"))}

    def _tracking(self, bucket: str = "") -> Service:
        """The tracking server; to start it, it needs the bucket of the deployed stack."""
        return tracking_service(self.settings, self._database, bucket)

    def _deploy(self) -> deploy.Deployed:
        parameters = {
            "Environment": "local",
            "TrackingUri": self.settings.tracking_url,
            "DatabaseHost": self._database.address().host,
            # A person at a laptop waits for a promotion to show; the requests it costs are free here.
            "ModelRefreshSeconds": "1",
            # Whoever starts a run here can run the same code on this machine without the stack.
            "OwnCode": "true",
            # A job with a GPU takes the same way as on AWS. It trains on this machine's GPU, or on its processor.
            "GpuInstanceTypes": "g4dn.xlarge",
        }
        if os.environ.get("MNIST_DIR"):
            # A job works in a folder of its own, so a relative path would lead elsewhere.
            location = os.environ["MNIST_DIR"]
            parameters["MnistLocation"] = location if "://" in location else str(Path(location).resolve())
        began = time.monotonic()
        deployed = deploy.deploy(self.settings, parameters, lambda text: self._say(f"  {text}"))
        if time.monotonic() - began > 1:
            self._say(f"template deployed ({time.monotonic() - began:.1f} s)")
        return deployed

    def _api_key(self, deployed: deploy.Deployed) -> str:
        """The value of the key named `local`: the one in `.local/env` while it is valid, else a new one."""
        gateway = deploy.client(self.settings, "apigateway")
        kept = self.env().get("MLOPS_API_KEY")
        name = f"{deployed.outputs['StackName']}-{LOCAL_KEY}"
        plan = gateway.get_usage_plan_keys(usagePlanId=deployed.outputs["UsagePlanId"])["items"]
        admitted = {key["id"] for key in plan}
        for key in gateway.get_api_keys(nameQuery=name, includeValues=True)["items"]:
            if key["name"] == name and key["value"] == kept and key["id"] in admitted:
                self._give_owner(deployed, key["id"])
                return str(kept)
            if key["name"] == name:
                gateway.delete_api_key(apiKey=key["id"])
        return self._step("API key", self._create_key)

    def _give_owner(self, deployed: deploy.Deployed, key_id: str) -> None:
        """Write the owner of a key that was made before keys had owners; it cannot be changed later."""
        deploy.client(self.settings, "dynamodb").update_item(
            TableName=deployed.outputs["AccessKeysTableName"],
            Key={"key_id": {"S": key_id}},
            UpdateExpression="SET #owner = if_not_exists(#owner, :owner)",
            ExpressionAttributeNames={"#owner": "owner"},
            ExpressionAttributeValues={":owner": {"S": LOCAL_KEY}},
        )

    def _create_key(self) -> str:
        # In a process of its own: the tool reads its AWS from the environment, and needs the shared package.
        environment = {
            **child_environment(),
            **aws_environment(self.settings),
            "PYTHONPATH": os.pathsep.join((str(self.settings.root), str(self.settings.root / "client"))),
        }
        command = (
            "-m",
            "tools.keys",
            "create",
            "--name",
            LOCAL_KEY,
            "--owner",
            LOCAL_KEY,
            "--role",
            "admin",
            "--stack",
            STACK_NAME,
        )
        made = subprocess.run(
            [sys.executable, *command], cwd=self.settings.root, env=environment, capture_output=True, text=True
        )
        if made.returncode != 0 or not made.stdout.strip():
            reason = (made.stderr.strip().splitlines() or ["it wrote nothing"])[-1]
            raise LocalStackError(f"the API key could not be created: {reason}")
        return made.stdout.strip()

    def _step(self, name: str, work: Callable[[], T]) -> T:
        began = time.monotonic()
        result = work()
        self._say(f"{name} ready ({time.monotonic() - began:.1f} s)")
        return result
