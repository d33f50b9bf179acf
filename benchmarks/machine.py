"""The machine a bench ran on, so that its numbers can be read: compare ratios between machines, not times."""

import importlib.metadata
import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

RESULTS = Path(__file__).parent / "results"


def describe(*packages: str) -> dict[str, Any]:
    """Processor, cores, memory, load at the start, Python, and the versions of `packages`."""
    return {
        "measured_at": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "processor": _processor(),
        "cores": os.cpu_count(),
        "memory_gib": round(psutil.virtual_memory().total / 2**30, 1),
        "load_at_start": [round(value, 2) for value in os.getloadavg()],
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "packages": {name: importlib.metadata.version(name) for name in packages},
    }


def write(part: str, title: str, result: dict[str, Any], tables: str) -> None:
    """`results/<part>.json` with everything, `results/<part>.md` with the machine and the tables."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{part}.json").write_text(json.dumps(result, indent=2) + "\n")
    machine = result["machine"]
    versions = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    head = (
        f"# {title}\n\nMade by `make bench`, {machine['measured_at']}: {machine['processor']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, load {machine['load_at_start'][0]} at the start, "
        f"Python {machine['python']}, {versions}. Times are of this machine; compare the ratios.\n\n"
    )
    (RESULTS / f"{part}.md").write_text(head + tables.rstrip() + "\n")


def table(header: list[str], rows: list[list[Any]]) -> str:
    """A Markdown table; the first column is text, the others are numbers."""
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *rows]
    return "\n".join("| " + " | ".join(_cell(cell) for cell in line) + " |" for line in lines) + "\n"


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
    return str(value)


def _processor() -> str:
    if Path("/proc/cpuinfo").exists():
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()
