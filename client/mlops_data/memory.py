"""How much memory this process may use."""

from pathlib import Path

MEMORY_INFO = Path("/proc/meminfo")
CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
UNKNOWN_MEMORY = 4 * 1024**3


def memory_limit() -> int:
    """Bytes of memory that this process may use: what the machine has free, or the container's limit if it is lower."""
    free = kibibytes(MEMORY_INFO, "MemAvailable")
    limits = [free * 1024 if free is not None else UNKNOWN_MEMORY]
    for path in CGROUP_LIMITS:
        try:
            limits.append(int(path.read_text()))
        except (OSError, ValueError):  # not Linux, another version of cgroups, or "max"
            continue
    return min(limits)


def kibibytes(path: Path, name: str) -> int | None:
    """The number in the line `name` of one of the kernel's tables, all of which are in kB."""
    try:
        for line in path.read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return None
