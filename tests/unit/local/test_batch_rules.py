"""Batch's decisions against what AWS documents of them."""

import pytest

from infra.local.aws.batch import rules

# The strategy of the platform's own job definition.
INFRASTRUCTURE_ONLY = {
    "attempts": 5,
    "evaluateOnExit": [
        {"onStatusReason": "Your Spot Task was interrupted*", "action": "RETRY"},
        {"onReason": "CannotPullContainerError*", "action": "RETRY"},
        {"onExitCode": "143", "action": "retry"},
        {"onExitCode": "*", "onReason": "*", "action": "EXIT"},
    ],
}


@pytest.mark.parametrize(
    ("exit_code", "reason", "status_reason", "expected"),
    [
        (1, "", "Essential container in task exited", False),
        (143, "", "Essential container in task exited", True),
        (None, "", "Your Spot Task was interrupted.", True),
        (None, "CannotPullContainerError: pull access denied", "Task failed to start", True),
        (None, "CannotStartContainerError: no such file", "Task failed to start", False),
        (137, "", "Essential container in task exited", False),
    ],
)
def test_only_what_infrastructure_did_is_retried(exit_code, reason, status_reason, expected):
    found = rules.should_retry(INFRASTRUCTURE_ONLY, 1, exit_code=exit_code, reason=reason, status_reason=status_reason)
    assert found is expected


def test_attempts_bound_every_retry():
    for made, expected in ((1, True), (4, True), (5, False)):
        found = rules.should_retry(INFRASTRUCTURE_ONLY, made, exit_code=143, reason="", status_reason="")
        assert found is expected


def test_the_first_entry_that_matches_decides():
    strategy = {
        "attempts": 3,
        "evaluateOnExit": [{"onExitCode": "1*", "action": "EXIT"}, {"onExitCode": "12", "action": "RETRY"}],
    }
    assert not rules.should_retry(strategy, 1, exit_code=12, reason="", status_reason="")


def test_an_entry_needs_all_its_conditions():
    strategy = {
        "attempts": 3,
        "evaluateOnExit": [{"onExitCode": "1", "onReason": "Out*", "action": "EXIT"}],
    }
    assert not rules.should_retry(strategy, 1, exit_code=1, reason="OutOfMemoryError", status_reason="")
    # Without a match Batch retries.
    assert rules.should_retry(strategy, 1, exit_code=1, reason="other", status_reason="")


def test_no_strategy_is_one_attempt():
    assert not rules.should_retry({}, 1, exit_code=1, reason="", status_reason="")


@pytest.mark.parametrize(
    ("strategy", "word"),
    [
        ({"attempts": 0}, "attempts"),
        ({"attempts": 11}, "attempts"),
        ({"evaluateOnExit": [{"action": "EXIT"}] * 6}, "5 entries"),
        ({"evaluateOnExit": [{"onExitCode": "1", "action": "STOP"}]}, "action"),
        ({"evaluateOnExit": [{"onExitCode": "one", "action": "EXIT"}]}, "onExitCode"),
    ],
)
def test_a_strategy_aws_refuses_is_refused(strategy, word):
    assert word in rules.retry_strategy_error(strategy)


def test_a_strategy_aws_takes_is_taken():
    assert rules.retry_strategy_error(INFRASTRUCTURE_ONLY) is None


@pytest.mark.parametrize("seconds", [59, 0, "60"])
def test_a_timeout_that_aws_refuses_is_refused(seconds):
    assert "at least 60" in rules.timeout_error({"attemptDurationSeconds": seconds})


def test_a_timeout_that_aws_takes_is_taken():
    assert rules.timeout_error({"attemptDurationSeconds": 60}) is None
    assert rules.timeout_error({}) is None


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        ({"SUCCEEDED": 3}, "SUCCEEDED"),
        ({"SUCCEEDED": 2, "FAILED": 1}, "FAILED"),
        ({"FAILED": 1, "RUNNING": 1}, None),
        ({"SUCCEEDED": 2, "RUNNABLE": 1}, None),
        ({"SUBMITTED": 3}, None),
    ],
)
def test_an_array_ends_with_its_last_child_and_fails_with_any(summary, expected):
    assert rules.array_status({rules.Status(name): count for name, count in summary.items()}) == expected


@pytest.mark.parametrize("size", [1, 0, 10_001, "3", True, None])
def test_array_sizes_outside_aws_limits_are_refused(size):
    assert "2 and 10000" in rules.array_size_error(size)


@pytest.mark.parametrize("size", [2, 10_000])
def test_array_sizes_within_aws_limits_are_taken(size):
    assert rules.array_size_error(size) is None


def test_later_environments_win():
    definition = [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}]
    override = [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]
    assert {pair["name"]: pair["value"] for pair in rules.merge_environment(definition, override)} == {
        "A": "1",
        "B": "3",
        "C": "4",
    }


@pytest.mark.parametrize(("returncode", "expected"), [(0, 0), (3, 3), (-15, 143), (-9, 137)])
def test_a_signal_is_an_exit_code_over_128(returncode, expected):
    assert rules.exit_code_of(returncode) == expected


@pytest.mark.parametrize(
    ("cores", "slots", "vcpus", "expected"),
    [(8, 1, None, 8), (8, 4, None, 2), (2, 6, None, 1), (8, 1, 2.0, 2), (8, 8, 4.0, 1), (8, 0, 0.25, 1)],
)
def test_threads_share_the_cores(cores, slots, vcpus, expected):
    assert rules.threads_per_job(cores, slots, vcpus) == expected
