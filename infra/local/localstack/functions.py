"""Lambda without Docker: LocalStack's plug-in point for what runs functions, with processes in place of containers."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

from localstack import config
from localstack.services.lambda_.invocation.execution_environment import ExecutionEnvironment
from localstack.services.lambda_.invocation.executor_endpoint import StatusErrorException
from localstack.services.lambda_.invocation.lambda_models import FunctionVersion, InvocationResult
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.lambda_.invocation.runtime_executor import RuntimeExecutor

from infra.local.environment import aws_environment, without_proxy
from infra.local.localstack.environment import FUNCTION_PYTHON
from infra.local.localstack.function_process import FunctionProcess, InitFailed
from infra.local.localstack.runtime_api import Invocation
from infra.local.settings import HOST, Settings

_INIT_SECONDS = 30.0


class ProcessExecutorPlugin(RuntimeExecutorPlugin):  # type: ignore[misc]
    """LAMBDA_RUNTIME_EXECUTOR=process."""

    name = "process"

    def load(self, *args: Any, **kwargs: Any) -> type[RuntimeExecutor]:
        return ProcessExecutor


class ProcessExecutor(RuntimeExecutor):  # type: ignore[misc]
    """One execution environment. Unlike LocalStack's containers it has the function's layers, on the import path."""

    def __init__(self, id: str, function_version: FunctionVersion) -> None:
        super().__init__(id, function_version)
        self._scratch = Path(tempfile.gettempdir()) / "functions" / id
        self._process: FunctionProcess | None = None

    def start(self, env_vars: dict[str, str]) -> None:
        own = {**aws_environment(Settings.from_environment()), **without_proxy(), "AWS_SESSION_TOKEN": ""}
        variables = {name: str(value) for name, value in env_vars.items()} | own
        settings = self.function_version.config
        layers = [layer.code.get_unzipped_code_location() / "python" for layer in settings.layers]
        self._process = FunctionProcess(
            os.environ[FUNCTION_PYTHON],
            settings.handler,
            [settings.code.get_unzipped_code_location(), *layers],
            {**variables, "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"},
            self._scratch,
        )
        try:
            self._process.start(_INIT_SECONDS)
        except InitFailed as failed:
            raise StatusErrorException("the function does not start", failed.payload) from failed

    def invoke(self, payload: dict[str, str]) -> InvocationResult:
        assert self._process is not None
        seconds = float(self.function_version.config.timeout)
        request_id = payload["invoke-id"]
        headers = {
            "Lambda-Runtime-Aws-Request-Id": request_id,
            "Lambda-Runtime-Deadline-Ms": str(int((time.time() + seconds) * 1000)),
            "Lambda-Runtime-Invoked-Function-Arn": payload["invoked-function-arn"],
            "Lambda-Runtime-Trace-Id": payload["trace-id"],
        }
        try:
            answer = self._process.invoke(Invocation(request_id, headers, payload["payload"].encode()), seconds)
        except InitFailed as failed:
            return InvocationResult(request_id, failed.payload, is_error=True, logs=str(failed))
        # LocalStack takes an empty log for an error of its own.
        log = answer.log or f"END RequestId: {request_id}\n"
        return InvocationResult(request_id, answer.payload, is_error=answer.failed, logs=log)

    def stop(self) -> None:
        if self._process is not None:
            self._process.stop()
        shutil.rmtree(self._scratch, ignore_errors=True)

    def get_address(self) -> str:
        return HOST

    def get_endpoint_from_executor(self) -> str:
        return HOST

    def get_runtime_endpoint(self) -> str:
        return f"http://{HOST}:{config.GATEWAY_LISTEN[0].port}"

    def get_logs(self) -> str:
        return self._process.take_log() if self._process is not None else ""

    @classmethod
    def prepare_version(cls, function_version: FunctionVersion) -> None:
        settings = function_version.config
        for code in (settings.code, *(layer.code for layer in settings.layers)):
            code.prepare_for_execution()

    @classmethod
    def cleanup_version(cls, function_version: FunctionVersion) -> None:
        """Nothing is left: LocalStack removes the code."""


def _own_log_group(self: ExecutionEnvironment) -> str:
    """The log group that the function names; LocalStack writes to one that is called like the function."""
    named = self.function_version.config.logging_config.get("LogGroup")
    return str(named or f"/aws/lambda/{self.function_version.id.function_name}")


if not hasattr(ExecutionEnvironment, "get_log_group_name"):
    raise RuntimeError("this LocalStack has no ExecutionEnvironment.get_log_group_name: use the pinned version")
ExecutionEnvironment.get_log_group_name = _own_log_group
