"""What is kept of predictions and data sets is deleted by the client and the command line."""

from pathlib import Path
from typing import Any

import pytest

from mlops.api.schemas.batch_predictions import BatchFilesDeletion
from mlops.api.schemas.dataset_deletions import DeletedDataset
from mlops.api.schemas.prediction_deletions import PredictionDeletion
from mlops_client import Client
from mlops_client.cli import data, forgetting
from mlops_client.errors import BadInput
from tests.unit.client.test_bin import Answers, run

BATCH = "batch_0199f0c2a4b17d31c2ae"


def answer(answers: int = 1, not_found: dict[str, Any] | None = None, left: dict[str, Any] | None = None) -> Any:
    """The API's own answer."""
    made = PredictionDeletion(
        model_name="churn",
        removed={"answers": answers, "labels": 2, "sample_hours": 0},
        not_found=not_found or {},  # type: ignore[arg-type]
        left=left or {},  # type: ignore[arg-type]
        remaining=[{"place": "lines of predict's log", "days": 30}],  # type: ignore[list-item]
    )
    return made.model_dump(mode="json")


@pytest.fixture(autouse=True)
def one_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """`run` gives its client to the commands of the bin; these commands take the same one."""
    from mlops_client.cli import bin as commands

    for module in (forgetting, data):
        monkeypatch.setattr(module, "new_client", lambda: commands.new_client())


def test_ids_are_sent_a_thousand_at_a_time_and_those_that_are_left_again() -> None:
    answers = Answers(
        answer(999, left={"prediction_ids": ["p0"]}), answer(1, not_found={"prediction_ids": ["p0"], "ids": [5]})
    )
    client = Client("http://127.0.0.1:9", "secret")
    client.transport = answers  # type: ignore[assignment]
    made = client.delete_predictions("churn", "x", prediction_ids=[f"p{n}" for n in range(999)], ids=[4, 5])
    first, second = (body for _, _, body in answers.asked)
    assert (len(first["prediction_ids"]), first["ids"]) == (999, [4])
    assert second == {"model_name": "churn", "reason": "x", "prediction_ids": ["p0"], "ids": [5]}
    assert made.removed == {"answers": 1000, "labels": 4, "sample_hours": 0}
    assert (made.not_found.prediction_ids, made.not_found.ids) == (["p0"], [5])
    with pytest.raises(BadInput, match="at least one id"):
        client.delete_predictions("churn", "x")


def test_the_command_takes_ids_and_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "ids.txt"
    file.write_text("b\n\n c \n")
    answers = Answers(answer(2, not_found={"ids": ["a"]}))
    result = run(monkeypatch, answers, "forget", "churn", "a", "--file", str(file), "--own", "--reason", "x")
    assert answers.asked[0][2]["ids"] == ["a", "b", "c"]
    assert result.output.splitlines() == [
        "deleted: 2 answers, 2 labels, 0 sample hours",
        "nothing was kept of a",
        "go by themselves within 30 days: lines of predict's log",
    ]
    with pytest.raises(BadInput, match="cannot be read"):
        run(monkeypatch, answers, "forget", "churn", "--file", str(tmp_path / "none"), "--reason", "x")
    with pytest.raises(BadInput, match="needs a MODEL"):
        run(monkeypatch, answers, "forget", "--reason", "x")


def test_the_files_of_a_batch_prediction_are_deleted(monkeypatch: pytest.MonkeyPatch) -> None:
    freed = BatchFilesDeletion(batch_id=BATCH, output="s3://b/scored/june/", freed_bytes=4321).model_dump(mode="json")
    answers = Answers(freed)
    result = run(monkeypatch, answers, "forget", "--batch", BATCH, "--reason", "x")
    assert answers.asked == [("DELETE", f"/batch-predictions/{BATCH}/files", {"reason": "x"})]
    assert result.output == "s3://b/scored/june/ is empty now: 4,321 bytes, with all old versions\n"
    with pytest.raises(BadInput, match="not both"):
        run(monkeypatch, answers, "forget", "churn", "--batch", BATCH, "--reason", "x")


def test_a_data_set_is_deleted_by_the_beginning_of_its_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    used = [
        {"name": "a.csv", "digest": digest * 9, "runs": 1, "last_used_at": None, "experiments": [], "latest_runs": []}
        for digest in ("5f2c", "5f3d")
    ]
    page = {"datasets": used, "total_count": 2, "next_cursor": None}
    deleted = DeletedDataset(
        digest="5f2c" * 9,
        addresses=["s3://b/datasets/a.csv"],
        runs=2,
        versions=[{"model_name": "churn", "version": 3}],  # type: ignore[list-item]
        reason="x",
        actor="ann",
        deleted_at="2026-06-01T00:00:00.000Z",
    ).model_dump(mode="json")
    answers = Answers(page, deleted, page)
    result = run(monkeypatch, answers, "data", "delete", "5f2", "--reason", "x")
    assert answers.asked[1] == ("DELETE", f"/datasets/{'5f2c' * 9}", {"reason": "x"})
    assert result.output.splitlines() == [
        "deleted: s3://b/datasets/a.csv",
        "deleted: rows in 2 runs",
        "some of them are left, and will be deleted within the hour",
        "churn@3 was made from it, and stays",
    ]
    with pytest.raises(BadInput, match="2 data sets"):
        run(monkeypatch, answers, "data", "delete", "5f", "--reason", "x")
