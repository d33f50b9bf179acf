import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from mlops.domain.names import JobId
from mlops.domain.sweep import Sweep, child_parameters, grid_size, job_id, sweep_id
from mlops.domain.training_request import Hyperparameters, Range

SPACE = {
    "learning_rate": Range(low=5e-4, high=1e-2, log=True),
    "hidden_size": [64, 128, 256],
    "dropout": [0.0, 0.1, 0.2, 0.3],
}


@given(seed=st.integers(0, 2**31 - 1), index=st.integers(0, 99))
def test_a_child_is_within_the_bounds_of_training(seed, index):
    parameters = child_parameters(Sweep(strategy="random", seed=seed, num_runs=100, space=SPACE), index)
    Hyperparameters.model_validate(parameters)


@given(seed=st.integers(0, 2**31 - 1), index=st.integers(0, 50))
def test_a_child_depends_on_seed_and_index_alone(seed, index):
    one, other = (Sweep(strategy="random", seed=seed, num_runs=n, space=SPACE, first_job_number=n) for n in (51, 100))
    assert child_parameters(one, index) == child_parameters(other, index)


def test_after_the_largest_seed_comes_the_first():
    sweep = Sweep(strategy="random", seed=2**31 - 2, num_runs=4)
    assert [child_parameters(sweep, index)["seed"] for index in range(4)] == [2**31 - 2, 2**31 - 1, 0, 1]


def test_children_and_seeds_differ():
    draw = [child_parameters(Sweep(strategy="random", seed=1, num_runs=50, space=SPACE), index) for index in range(50)]
    assert len({tuple(sorted(each.items())) for each in draw}) == 50
    assert len({each["learning_rate"] for each in draw}) == 50
    assert [each["seed"] for each in draw] == list(range(1, 51))


def test_a_grid_tries_every_combination_once():
    space = {"learning_rate": [0.001, 0.01], "hidden_size": [64.0, 128.0, 256.0]}
    sweep = Sweep(strategy="grid", seed=0, num_runs=6, space=space)
    tried = {(each["learning_rate"], each["hidden_size"]) for each in (child_parameters(sweep, i) for i in range(6))}
    assert tried == {(rate, size) for rate in (0.001, 0.01) for size in (64, 128, 256)}
    assert grid_size(space) == 6
    with pytest.raises(IndexError, match="6 combinations"):
        child_parameters(sweep, 6)


def test_whole_numbers_are_drawn_as_whole_numbers():
    space = {"hidden_size": Range(low=32, high=512), "dropout": Range(low=0, high=0.5)}
    drawn = child_parameters(Sweep(strategy="random", seed=3, num_runs=1, space=space), 0)
    assert isinstance(drawn["hidden_size"], int)
    assert isinstance(drawn["dropout"], float)


def test_a_logarithmic_range_spreads_over_its_decades():
    space = {"learning_rate": Range(low=1e-4, high=1e-1, log=True)}
    sweep = Sweep(strategy="random", seed=5, num_runs=300, space=space)
    below = sum(child_parameters(sweep, index)["learning_rate"] < 1e-3 for index in range(300))
    assert 70 < below < 130, "a third, as one decade of three"


def test_a_range_the_wrong_way_round_is_refused():
    with pytest.raises(ValueError, match="low must be below high"):
        Range(low=1, high=1)
    with pytest.raises(ValueError, match="above 0"):
        Range(low=0, high=1, log=True)


def test_job_numbers_sort_as_they_count():
    assert [job_id(9), job_id(10), job_id(100)] == sorted([job_id(100), job_id(10), job_id(9)])
    assert Sweep(strategy="random", seed=0, num_runs=2, first_job_number=42).job_id(1) == "job_000043"


def test_ids_sort_by_number_also_after_a_million_jobs() -> None:
    numbers = [1, 42, 99_999, 999_998, 999_999, 1_000_000, 1_000_001, 9_999_999, 10_000_000, 10**9]
    for make, prefix in ((job_id, "job_"), (sweep_id, "sweep_")):
        ids = [make(number) for number in numbers]
        assert ids == sorted(ids)
        assert ids[:2] == [f"{prefix}000001", f"{prefix}000042"]
    for number in numbers:
        assert TypeAdapter(JobId).validate_python(job_id(number)) == job_id(number)
