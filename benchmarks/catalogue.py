"""The lists on 200 experiments and 20,000 runs: GET /experiments beside the bare SQL and beside MLflow's REST API.

A stack of its own is started (PostgreSQL, MLflow, the API), filled by SQL, measured and removed again.

    python -m benchmarks.catalogue
"""

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

import psycopg
import urllib3

from benchmarks import machine
from benchmarks.local_stack import api_of, local_stack
from infra.local.database import Database
from infra.local.settings import Settings

EXPERIMENTS, RUNS = 200, 100
ROUNDS = 25
FACTOR, ALLOWANCE_MS = 3.0, 30.0
"""GET /experiments may take so many times the bare SQL's time, and so many milliseconds more."""

# What somebody would write for just this page: no view, nothing that can be ordered or filtered otherwise.
BARE = """
WITH page AS (
    SELECT experiment_id, name FROM experiments WHERE lifecycle_stage = 'active'
    ORDER BY experiment_id DESC LIMIT %(limit)s),
counts AS (
    SELECT experiment_id, count(*) AS total_runs FROM runs JOIN page USING (experiment_id)
    WHERE lifecycle_stage = 'active' GROUP BY experiment_id),
best AS (
    SELECT DISTINCT ON (r.experiment_id) r.experiment_id, r.run_uuid, r.name AS run_name
    FROM latest_metrics m JOIN runs r USING (run_uuid) JOIN page USING (experiment_id)
    WHERE m.key = 'accuracy' AND NOT m.is_nan AND r.lifecycle_stage = 'active'
    ORDER BY r.experiment_id, m.value DESC)
SELECT page.experiment_id, page.name, total_runs, run_uuid, run_name,
       (SELECT jsonb_object_agg(key, value) FROM latest_metrics m WHERE m.run_uuid = best.run_uuid) AS metrics,
       (SELECT jsonb_object_agg(key, value) FROM params p WHERE p.run_uuid = best.run_uuid) AS params,
       (SELECT count(*) FROM experiments WHERE lifecycle_stage = 'active') AS total_count
FROM page LEFT JOIN counts USING (experiment_id) LEFT JOIN best USING (experiment_id)
ORDER BY page.experiment_id DESC
"""

FILL = """
INSERT INTO experiments
    (experiment_id, name, artifact_location, lifecycle_stage, creation_time, last_update_time, workspace)
SELECT 1000 + e, 'bench ' || e, 's3://bucket/mlflow/' || e, 'active', 1700000000000 + e, 1700000000000 + e, 'default'
FROM generate_series(1, %(experiments)s) e;
INSERT INTO runs (run_uuid, name, source_type, source_name, entry_point_name, user_id, status, start_time, end_time,
                  source_version, lifecycle_stage, artifact_uri, experiment_id)
SELECT md5(e || '/' || r), 'run ' || r, 'UNKNOWN', '', '', 'bench', 'FINISHED', 1700000000000 + r, 1700000100000 + r,
       '', 'active', 's3://bucket/mlflow/' || e || '/' || r, 1000 + e
FROM generate_series(1, %(experiments)s) e, generate_series(1, %(runs)s) r;
INSERT INTO latest_metrics (key, value, "timestamp", step, is_nan, run_uuid)
SELECT key, random(), 1700000000000, 10, false, run_uuid
FROM runs, unnest(ARRAY['accuracy', 'loss', 'val_accuracy', 'val_loss', 'seconds']) key;
INSERT INTO metrics (key, value, "timestamp", step, is_nan, run_uuid)
SELECT key, value, "timestamp", step, is_nan, run_uuid FROM latest_metrics;
INSERT INTO params (key, value, run_uuid)
SELECT key, (random() * 100)::text, run_uuid
FROM runs, unnest(ARRAY['learning_rate', 'epochs', 'batch_size', 'hidden_size', 'dropout', 'seed']) key;
"""


def main() -> int:
    with local_stack() as (settings, variables):
        return measure(settings, variables)


def measure(settings: Settings, variables: dict[str, str]) -> int:
    host = Database(settings).address().host
    with psycopg.connect(host=host, user="postgres", dbname="mlflow", autocommit=True) as connection:
        for statement in FILL.split(";\n")[:-1]:
            connection.execute(statement.encode(), {"experiments": EXPERIMENTS, "runs": RUNS})  # type: ignore[arg-type]
        connection.execute("VACUUM ANALYZE")
        api = api_of(variables)
        found = {"machine": machine.describe("mlflow", "psycopg", "fastapi"), "lists": {}, "other": {}}
        for limit in (50, 200):
            path = f"/experiments?limit={limit}"
            bare, ours = together(
                lambda limit=limit: connection.execute(BARE.encode(), {"limit": limit}).fetchall(),
                lambda path=path: api.get(path),
            )
            found["lists"][path] = {"bare_ms": bare, "ours_ms": ours, "bound_ms": FACTOR * bare + ALLOWANCE_MS}
        page = api.get("/experiments?limit=50")
        assert page["total_count"] >= EXPERIMENTS
        assert all(row["total_runs"] == RUNS and row["best_run"] for row in page["experiments"])
        last = api.get(f"/experiments?limit=50&cursor={page['next_cursor']}")
        assert len(last["experiments"]) == 50
        for path in (
            f"/experiments?limit=50&cursor={page['next_cursor']}",
            "/experiments?limit=50&order_by=name&name=bench%201",
            "/experiments/bench%201?limit=50",
            "/experiments/bench%201?limit=50&order_by=metrics.accuracy%20desc",
            "/experiments/bench%201?limit=50&order_by=params.learning_rate",
        ):
            found["other"][path.partition("&cursor=")[0] + ("&cursor=…" if "cursor" in path else "")] = median(
                lambda path=path: api.get(path)
            )
    found["mlflow_rest_s"] = mlflow_rest(variables["MLFLOW_TRACKING_URI"])
    kept = all(row["ours_ms"] <= row["bound_ms"] for row in found["lists"].values())
    report(found)
    return 0 if kept else 1


def median(call: Callable[[], Any], rounds: int = ROUNDS) -> float:
    """Milliseconds."""
    call()
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        call()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def together(*calls: Callable[[], Any]) -> list[float]:
    """The median milliseconds of each, taken in turns, so that other programs disturb all alike."""
    took: list[list[float]] = [[] for _ in calls]
    for number in range(ROUNDS + 1):
        for call, times in zip(calls, took, strict=True):
            began = time.perf_counter()
            call()
            if number:
                times.append((time.perf_counter() - began) * 1000)
    return [statistics.median(times) for times in took]


def mlflow_rest(uri: str) -> float:
    """Seconds for the same page of all experiments, with counts and best runs, by MLflow's REST API alone."""
    pool = urllib3.PoolManager(timeout=60.0)

    def post(path: str, body: dict[str, Any]) -> Any:
        answer = pool.request("POST", f"{uri}/api/2.0/mlflow/{path}", json=body)
        assert answer.status == 200, answer.data[:500]
        return answer.json()

    began = time.perf_counter()
    experiments = post("experiments/search", {"max_results": EXPERIMENTS + 10})["experiments"]
    for experiment in experiments:
        # There is no count: all runs are fetched, and the best is taken from the same answer.
        body = {"experiment_ids": [experiment["experiment_id"]], "max_results": 1000}
        post("runs/search", {**body, "order_by": ["metrics.accuracy DESC"]})
    return time.perf_counter() - began


def report(found: dict[str, Any]) -> None:
    lists = machine.table(
        ["median of 25, ms", "bare SQL", "GET", "bound: 3 x + 30", "MLflow's REST API"],
        [
            [
                path,
                round(row["bare_ms"], 1),
                round(row["ours_ms"], 1),
                round(row["bound_ms"], 1),
                found["mlflow_rest_s"] * 1000 if "200" in path else None,
            ]
            for path, row in found["lists"].items()
        ],
    )
    other = machine.table(["median of 25", "ms"], [[path, round(took, 1)] for path, took in found["other"].items()])
    text = (
        f"{EXPERIMENTS} experiments, {EXPERIMENTS * RUNS:,} runs of 5 metrics and 6 params. GET is the whole way "
        f"through the local gateway.\n\n{lists}\n{other}"
    )
    machine.write("catalogue", "The lists", found, text)
    print(text)


if __name__ == "__main__":
    sys.exit(main())
