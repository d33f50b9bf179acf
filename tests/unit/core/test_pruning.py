"""When a run of a sweep is ended early: by the median of the others at its epoch."""

import pytest

from mlops.domain.job import Job, JobStatus
from mlops.domain.pruning import reason_to_prune


def run(*values, status=JobStatus.RUNNING, every=1):
    curve = {(place + 1) * every: value for place, value in enumerate(values)}
    return Job("job_000009", status=status, curve=curve)


def curve(*values):
    return dict(enumerate(values, start=1))


OTHERS = [run(0.1, 0.2, value, 0.9) for value in (0.5, 0.6, 0.7, 0.8)]


def test_a_run_below_the_median_of_four_others_at_its_epoch_is_pruned_and_told_why():
    reason = reason_to_prune(curve(0.1, 0.2, 0.64), OTHERS)
    assert reason == (
        "pruned at epoch 3: on the rows for validation its best epoch has 0.64, and the median of 4 other runs at this "
        "epoch is 0.65 (higher is better)"
    )


@pytest.mark.parametrize(
    ("own", "others"),
    [
        (curve(), OTHERS),
        (curve(0.0, 0.0), OTHERS),
        (curve(0.0, 0.0, 0.0), OTHERS[:3]),
        (curve(0.1, 0.2, 0.65), OTHERS),
        (curve(0.1, 0.9, 0.2), OTHERS),
        (curve(0.0, 0.0, 0.0), [*OTHERS[:3], run(0.9, 0.9)]),
        (curve(0.0, 0.0, 0.0), [*OTHERS[:3], run(0.9, 0.9, 0.9, status=JobStatus.FAILED)]),
        (curve(0.0, 0.0, 0.0), [*OTHERS[:3], run(0.9, 0.9, 0.9, status=JobStatus.CANCELLED)]),
        (curve(0.0, 0.0, 0.0), [*OTHERS[:3], run(status=JobStatus.COMPLETED)]),
    ],
    ids=[
        "nothing measured",
        "before epoch 3",
        "three others",
        "as good as the median",
        "an epoch before was good",
        "the fourth is not there yet",
        "the fourth failed",
        "the fourth was cancelled",
        "the fourth reports no epochs",
    ],
)
def test_otherwise_it_goes_on(own, others):
    assert reason_to_prune(own, others) is None


def test_a_run_that_has_ended_counts_with_its_last_value():
    others = [run(0.5, 0.5, 0.5, status=JobStatus.PRUNED), run(0.5, 0.5, status=JobStatus.COMPLETED), *OTHERS[:2]]
    assert "the median of 4 other runs" in str(reason_to_prune(curve(0.1, 0.1, 0.1), others))


def test_runs_that_report_every_fifth_round_are_compared_at_the_last_one():
    others = [run(0.5, 0.6, 0.7, every=5)] * 4
    assert "is 0.5 (" in str(reason_to_prune({4: 0.1, 8: 0.2}, others))


def test_of_runs_that_train_side_by_side_half_are_pruned_and_not_half_again_at_each_epoch():
    """32 runs whose places never change: the worse half ends at epoch 3, and the better half is left alone."""
    runs = {number: Job(f"job_{number:06d}", status=JobStatus.RUNNING) for number in range(32)}
    pruned = []
    for epoch in range(1, 11):
        for number, each in runs.items():
            if each.status is JobStatus.RUNNING:
                runs[number] = Job(each.job_id, status=each.status, curve={**each.curve, epoch: number + epoch / 100})
        for number, each in sorted(runs.items()):
            others = [other for other in runs.values() if other is not each]
            if each.status is JobStatus.RUNNING and reason_to_prune(each.curve, others):
                runs[number] = Job(each.job_id, status=JobStatus.PRUNED, curve=each.curve)
                pruned.append((epoch, number))
    assert pruned == [(3, number) for number in range(16)]
