"""How much memory a process may use."""

from pathlib import Path

import pytest

from mlops_data import memory


def test_the_memory_is_the_container_s_if_that_is_less(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    limit = tmp_path / "memory.max"
    monkeypatch.setattr(memory, "CGROUP_LIMITS", (limit,))
    free = memory.memory_limit()
    assert free > 0
    limit.write_text("1048576\n")
    assert memory.memory_limit() == 1048576
    limit.write_text("max\n")
    assert memory.memory_limit() > 1048576
