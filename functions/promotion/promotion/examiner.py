"""Examine a file in a child process, which `promotion.examination` starts: `python -m promotion.examiner`.

Standard input: a line of JSON (placement, limits, the inherited file, numbers of bytes), then the bytes of the files
beside it. Standard output: JSON with `refusal`, or with the fields of `Examined`.
"""

import json
import os
import re
import resource
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from mlops.domain.stages import Stage
from mlops.inference.model import ModelRefused
from mlops_contract.onnx_file import InheritedFile
from promotion.examination import Beside, Limits, Placement, examine

MEBIBYTE = 1 << 20
SLACK = 64 * MEBIBYTE
"""Allowed above the limit, so that the refusal of a model that is slightly too large can say its size."""


def main() -> None:
    # onnxruntime prints on the standard output when some files do not load: the answer has a place of its own.
    answers = os.dup(sys.stdout.fileno())
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    request = json.loads(sys.stdin.buffer.readline())
    placement = Placement(**{**request["placement"], "stage": Stage(request["placement"]["stage"])})
    limits = Limits(**request["limits"])
    # Before a model is loaded, predict needs about the same memory as this process.
    base = _memory("VmHWM")
    allowed = (limits.memory_mb * MEBIBYTE - base) // 2
    data_limit = _memory("VmData") + allowed + SLACK
    resource.setrlimit(resource.RLIMIT_DATA, (data_limit, data_limit))
    sizes = request["beside"].items()
    beside = Beside(**{name: None if size is None else sys.stdin.buffer.read(size) for name, size in sizes})
    answer = _examined(InheritedFile(**request["file"]), beside, placement, limits, base, allowed)
    with os.fdopen(answers, "w") as output:
        json.dump(answer, output)


def _examined(
    file: InheritedFile, beside: Beside, placement: Placement, limits: Limits, base: int, allowed: int
) -> dict[str, Any]:
    try:
        examined = examine(file, placement, limits, beside)
    except ModelRefused as refused:
        reason = str(refused)
        if re.search("alloc|memory", reason, re.IGNORECASE):
            reason += f"; predict has {allowed // MEBIBYTE} of its {limits.memory_mb} MiB for one model"
        return {"refusal": reason}
    except MemoryError:
        return {"refusal": f"it needs more than the {allowed // MEBIBYTE} MiB that predict has for one model"}
    needed = _memory("VmHWM") - base
    if needed > allowed:
        return {
            "refusal": f"it needs {needed // MEBIBYTE} MiB of memory; predict has {allowed // MEBIBYTE} of its "
            f"{limits.memory_mb} MiB for one model, because two have to fit while one replaces the other"
        }
    return {
        "refusal": None,
        "manifest": examined.manifest.to_json().decode(),
        "latency_ms": examined.latency_ms,
        "proof": examined.proof and asdict(examined.proof),
        "unexplained": examined.unexplained,
    }


def _memory(field: str) -> int:
    """Return a memory size of this process in bytes: `VmHWM` is the peak resident size, `VmData` the mapped data."""
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    assert match is not None
    return int(match[1]) * 1024


if __name__ == "__main__":
    main()
