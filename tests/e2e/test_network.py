"""No process of the local stack talks to anybody beyond this machine."""

import ipaddress
from collections.abc import Iterator
from typing import Any

import psutil

from infra.local.api import Api
from infra.local.settings import Settings


def processes_of(settings: Settings) -> Iterator[tuple[psutil.Process, dict[str, str]]]:
    """The processes of a stack with their variables: servers, functions' environments, jobs."""
    for process in psutil.process_iter():
        try:
            variables = process.environ()
        except psutil.Error:
            continue
        if str(settings.home) in (variables.get("MLOPS_LOCAL_DIR"), variables.get("DATABASE_HOST")):
            yield process, variables


def test_after_a_training_run_and_a_prediction_all_connections_are_within_this_machine(
    stack: Any, api: Api, production_model: dict[str, Any], held_out: tuple[list[list[float]], list[int]]
) -> None:
    images, _labels = held_out
    assert api.post("/predict", {"image": images[0]})["prediction"] is not None
    with_onnxruntime = 0
    for process, variables in processes_of(stack.settings):
        for connection in process.net_connections("inet"):
            if connection.raddr:
                assert ipaddress.ip_address(connection.raddr.ip).is_loopback, (process.cmdline(), connection)
        if any("onnxruntime" in region.path for region in process.memory_maps()):
            with_onnxruntime += 1
            assert variables["ORT_DISABLE_TELEMETRY"] == "1", process.cmdline()
    assert with_onnxruntime, "predict and the gate have loaded it"
