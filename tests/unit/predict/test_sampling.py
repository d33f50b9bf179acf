"""Which requests are measured: all of a quiet hour, some thousands of a busy one, repetitions as often."""

import pytest

from predict import sampling as module
from predict.column_counts import RowCounts
from predict.sampling import ROWS_PER_HOUR, Sampling


class Hours:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def time(self) -> float:
        return self.now


@pytest.fixture
def hours(monkeypatch: pytest.MonkeyPatch) -> Hours:
    clock = Hours()
    monkeypatch.setattr(module, "time", clock)
    return clock


def counted(sampling: Sampling, requests: int, rows: int = 1, first: int = 0) -> int:
    return sum(rows for place in range(first, first + requests) if sampling.takes(f"request {place}", rows))


def test_every_request_of_a_quiet_hour_is_counted(hours: Hours) -> None:
    assert counted(Sampling(), ROWS_PER_HOUR) == ROWS_PER_HOUR


def test_of_a_busy_hour_some_thousand_rows_are_counted(hours: Hours) -> None:
    found = counted(Sampling(), 100_000)
    assert ROWS_PER_HOUR < found < 7 * ROWS_PER_HOUR


def test_the_next_hour_begins_with_the_stride_that_fits_and_a_quiet_one_is_whole_again(hours: Hours) -> None:
    sampling = Sampling()
    counted(sampling, 64_000)
    hours.now += 3600
    assert 1600 < counted(sampling, 64_000, first=64_000) < 2 * ROWS_PER_HOUR + 1000
    hours.now += 3600
    counted(sampling, 100, first=1_000_000)
    hours.now += 3600
    assert counted(sampling, 100, first=2_000_000) == 100


def test_a_repeated_request_is_counted_with_the_same_probability_as_others(hours: Hours) -> None:
    sampling = Sampling()
    sampling.takes("first", 1)
    sampling.stride = 8
    always, as_before = RowCounts("x", 1, 1, sampling), RowCounts("x", 1, 8, sampling)
    shares = [sum(bool(each.of(f"r{n}", repeated=True)) for n in range(1600)) for each in (always, as_before)]
    assert 130 < shares[0] < 270  # it was chosen for certain before: now one in eight
    assert shares[1] == 1600  # it was one in eight already
    assert as_before.of("r", repeated=False) == "x"


def test_clients_that_take_turns_are_all_seen(hours: Hours) -> None:
    sampling = Sampling()
    sampling.takes("first", 1)
    sampling.stride = 8
    seen = {number % 8 for number in range(2_000) if sampling.takes(f"later {number}", 1)}
    assert seen == set(range(8))
