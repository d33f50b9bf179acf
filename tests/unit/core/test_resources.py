"""The sizes that a job can have."""

from contextlib import suppress

import pytest
from pydantic import ValidationError

from mlops.domain.resources import Resources, Size


@pytest.mark.parametrize(
    ("asked", "size"),
    [
        ({}, None),
        ({"minutes": 5}, None),
        ({"vcpu": 4, "memory_gb": 16}, Size(4, 16)),
        ({"vcpu": 0.25, "memory_gb": 0.5}, Size(0.25, 0.5)),
        ({"vcpu": 16, "memory_gb": 120}, Size(16, 120)),
        ({"vcpu": 8}, Size(8, 16)),
        ({"memory_gb": 9}, Size(2, 9)),
        ({"memory_gb": 30}, Size(4, 30)),
        ({"memory_gb": 3}, Size(1, 3)),
    ],
)
def test_a_size_is_completed(asked, size):
    assert Resources.model_validate(asked).size == size


@pytest.mark.parametrize(
    ("asked", "nearest"),
    [
        ({"vcpu": 3, "memory_gb": 10}, "2 vCPU with 10 GB and 4 vCPU with 10 GB"),
        ({"vcpu": 2, "memory_gb": 20}, "2 vCPU with 16 GB and 4 vCPU with 20 GB"),
        ({"vcpu": 0.25, "memory_gb": 16}, "0.25 vCPU with 2 GB and 2 vCPU with 16 GB"),
        ({"vcpu": 8, "memory_gb": 18}, "8 vCPU with 16 GB and 8 vCPU with 20 GB"),
        ({"vcpu": 16, "memory_gb": 2}, "1 vCPU with 2 GB and 16 vCPU with 32 GB"),
        ({"vcpu": 3}, "2 vCPU with 4 GB and 4 vCPU with 8 GB"),
        ({"memory_gb": 31}, "4 vCPU with 30 GB and 8 vCPU with 32 GB"),
    ],
)
def test_a_size_that_fargate_does_not_have_names_the_nearest(asked, nearest):
    with pytest.raises(ValidationError, match=f"the nearest are {nearest}"):
        Resources.model_validate(asked)


def test_every_size_of_fargate_is_taken_and_no_other():
    """Against AWS's table: for each number of vCPUs the least and the most GB, and the step between."""
    table = {1: (2, 8, 1), 2: (4, 16, 1), 4: (8, 30, 1), 8: (16, 60, 4), 16: (32, 120, 8), 0.5: (1, 4, 1)}
    valid = {(vcpu, float(gb)) for vcpu, (low, high, step) in table.items() for gb in range(low, high + 1, step)}
    valid |= {(0.25, 0.5), (0.25, 1), (0.25, 2)}
    taken = set()
    for vcpu in (0.25, 0.5, 1, 2, 3, 4, 8, 12, 16):
        for half_gb in range(1, 241):
            with suppress(ValidationError):
                Resources(vcpu=vcpu, memory_gb=half_gb / 2)
                taken.add((vcpu, half_gb / 2))
    assert taken == valid


def test_a_job_with_a_gpu_has_the_stacks_size():
    assert Resources(gpu=1, minutes=30).size is None
    with pytest.raises(ValidationError, match="vcpu and memory_gb must be left out with gpu"):
        Resources(gpu=1, vcpu=4)
    with pytest.raises(ValidationError, match="less than or equal to 1"):
        Resources(gpu=2)
