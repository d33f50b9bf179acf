"""The dashboards after the demo: a real Prometheus scrapes the running stack, and each query of each panel has data.

What the demo does not show is added: labels, a model of a quantity, a rollout, a refused request, an unreadable line.
Verdicts need predictions of the days before, so today's counts are written once more as those of earlier hours.
"""

import io
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from rich.console import Console

from infra.local import demo_table
from infra.local.api import Api
from mlops.aws.stats_table import hour_of, hours_before
from tests.support.prometheus import queries_of, running
from tests.support.steps import DIGITS_MODEL, promote, train

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own

PRICES = "dashboard-prices"
MODELS = (demo_table.MODEL, DIGITS_MODEL, PRICES)
HOURS_AGO = (26, 27, 28, 29, 30, 31)
SILENT_SECONDS = 150
UNREADABLE = b'{"awslogs": {"data": "bm90IHBhY2tlZA=="}}'
"""A delivery of the log that is not packed: its lines cannot be counted."""


@pytest.fixture
def scene(api: Api, production_model: Any, held_out: Any, aws_client: Any, outputs: dict[str, str], invoke: Any) -> Any:
    """All that the panels show. Returns what sends one more round of requests."""
    images, _ = held_out
    for start in (0, 100, 200):
        api.post("/predict/batch", {"images": images[start : start + 100]})
    jobs = demo_table.start(api)
    demo_table.play(api, Console(file=io.StringIO()), jobs)
    _train_prices(api, aws_client("s3"), outputs["ArtifactBucketName"])
    customers = [{k: v for k, v in row.items() if k != "churned"} for row in demo_table.customers(40, seed=3)]

    def send(turn: int) -> list[tuple[str, str, Any]]:
        """Ask each model, and return model, id and a label."""
        image, row = images[turn % 40], customers[turn % 40]
        answers = [
            (DIGITS_MODEL, api.post("/predict", {"image": image, "model_name": DIGITS_MODEL}), 3),
            (demo_table.MODEL, api.post("/predict", {"row": row, "model_name": demo_table.MODEL}), "no"),
            (PRICES, api.post("/predict", {"row": {"area": 50.0 + turn}, "model_name": PRICES}), 140_000),
        ]
        assert api.send("POST", "/predict", {"row": {"area": "large"}, "model_name": PRICES}).status == 422
        return [(model, answer["prediction_id"], label) for model, answer, label in answers]

    given = [each for turn in range(40) for each in send(turn)]
    for model, prediction_id, label in given:
        assert api.post("/feedback", {"model_name": model, "prediction_id": prediction_id, "label": label})
    for model in MODELS:
        route = f"/performance/status?model_name={model}"
        api.wait(route, until=lambda status: sum(each["labels"] for each in status["versions"]) >= 40)
    for table in ("PredictionStatsTable", "FeedbackTable"):
        _repeat_as_earlier(aws_client("dynamodb"), table)
    for function in ("DriftFunction", "FeedbackFunction"):  # once an hour by their schedules
        assert "FunctionError" not in invoke(function, b"{}")
    invoke("PredictionLogFunction", UNREADABLE)
    served = api.get(f"/models/{demo_table.MODEL}")["production_version"]
    versions = [each["version"] for each in api.get(f"/models/{demo_table.MODEL}")["versions"]]
    other = next(each for each in versions if each != served)
    assert promote(api, other, "Staging", demo_table.MODEL, force=True, reason="dashboards")["status"] == "succeeded"
    plan = {"version": other, "shadow_minutes": 0, "reason": "dashboards"}
    plan |= {"steps": [{"weight": 50, "minutes": 60}], "guardrails": {"max_latency_ratio": None}}
    rollout = api.post(f"/models/{demo_table.MODEL}/rollouts", plan)["rollout_id"]
    yield send
    api.post(f"/models/{demo_table.MODEL}/rollouts/{rollout}/abort", {"reason": "the end of the test"})


def _train_prices(api: Api, s3: Any, bucket: str) -> None:
    """Put a model of a quantity into Production."""
    areas = [20 + number * 37 % 300 + 0.5 for number in range(300)]
    rows = "".join(f"{area},{2_000 * area + 40_000 + area % 7 * 900}\n" for area in areas)
    s3.put_object(Bucket=bucket, Key="datasets/dashboards/prices.csv", Body=f"area,price\n{rows}".encode())
    about = {"dataset": f"s3://{bucket}/datasets/dashboards/prices.csv", "target": "price", "task": "regression"}
    job = train(api, **about, model_type="linear", model_name=PRICES, experiment_name="dashboards")
    assert job["status"] == "completed", job["error"]
    assert promote(api, job["model_version"], model=PRICES)["status"] == "succeeded"


def _repeat_as_earlier(dynamodb: Any, table: str) -> None:
    """Write the counts of this and the last hour once more, as those of hours some days ago."""
    (name,) = [each for each in dynamodb.list_tables()["TableNames"] if table in each]
    hours = [hours_before(hour_of(time.time()), ago) for ago in (0, 1)]
    for page in dynamodb.get_paginator("scan").paginate(TableName=name):
        for item in page["Items"]:
            slot = item["slot"].get("S", "")
            for ago in HOURS_AGO if slot[:13] in hours else ():
                earlier = {**item, "slot": {"S": hours_before(slot[:13], ago) + slot[13:]}}
                dynamodb.put_item(TableName=name, Item=earlier)


def test_each_query_of_each_panel_has_data_after_the_demo(
    programs: Path, scraping: Any, scene: Any, tmp_path: Path
) -> None:
    config = scraping(tmp_path)
    config.pop("rule_files")
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    silent = {(panel, query) for board in ("model", "platform") for panel, query in queries_of(board)}
    with running(programs, tmp_path) as (asked, until):
        until(lambda: any(each["value"][1] == "1" for each in asked("query?query=up")["result"]))
        deadline, turn = time.monotonic() + SILENT_SECONDS, 0
        while silent and time.monotonic() < deadline:
            scene(turn := turn + 1)
            silent = {each for each in silent if not _has_data(asked, each[1])}
    assert silent == set()


def _has_data(asked: Any, query: str) -> bool:
    """Whether a query has data for one of the models: some are about classes, others about quantities."""
    queries = {query.replace("$__rate_interval", "1m").replace("$model", name) for name in MODELS}
    return any(asked(f"query?query={quote(each)}")["result"] for each in queries)
