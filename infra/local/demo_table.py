"""The demo's second scene: a table with text and missing values, three model types, and a column that breaks."""

from __future__ import annotations

import csv
import hashlib
import io
import random
import time
from typing import Any

import urllib3
from rich.console import Console
from rich.table import Table

from infra.local.api import Api
from infra.local.demo_steps import ENDED, promoted, states, until_served, watch
from infra.local.errors import LocalStackError

MODEL = "demo-customers"
TYPES = {
    "linear": {},
    "lightgbm": {"n_estimators": 60, "num_leaves": 15},
    "random_forest": {"n_estimators": 40, "max_depth": 8},
}
"""The hyperparameters by the model type; few trees, as the demo is to be short."""
ROWS = 3000
BROKEN_ROWS = 600
PLANS = {"basic": 0.15, "family": -0.1, "premium": -0.25}
"""What a plan adds to the share of customers that leave."""


def customers(count: int, seed: int) -> list[dict[str, Any]]:
    """Return made-up customers, some of them without an income or a job, and whether they have left."""
    chance = random.Random(seed)
    rows = []
    for _ in range(count):
        plan = chance.choice(list(PLANS))
        income = round(chance.lognormvariate(8, 0.4), 2)
        calls = min(12, int(chance.expovariate(0.4)))
        share = 0.25 + PLANS[plan] + 0.07 * calls - (0.1 if income > 3500 else 0)
        rows.append(
            {
                "plan": plan,
                "income": None if chance.random() < 0.06 else income,
                "job": None if chance.random() < 0.1 else chance.choice(["nurse", "baker", "pilot", "teacher"]),
                "calls": calls,
                "churned": "yes" if chance.random() < share else "no",
            }
        )
    return rows


def start(api: Api) -> list[str]:
    """Upload the table, start a job for each type, and return their ids: they train while other things are shown."""
    subject = {"dataset": _upload(api, customers(ROWS, seed=1)), "target": "churned", "objective": "roc_auc"}
    names = {"experiment_name": MODEL, "model_name": MODEL}
    return [
        api.post("/train", {**subject, **names, "model_type": kind, "hyperparameters": hyperparameters})["job_id"]
        for kind, hyperparameters in TYPES.items()
    ]


def play(api: Api, console: Console, job_ids: list[str]) -> None:
    """Wait for the three types, promote the best, ask it for a row, and send rows in which a column is broken."""
    console.rule("[bold]5. A table, with text and missing values: three model types are trained", align="left")
    jobs = _trained(api, console, job_ids)
    best = max(jobs, key=lambda job: job["metrics"]["roc_auc"])
    console.rule("[bold]6. The best one is proved, checked by the gates and promoted", align="left")
    wish = {"model_name": MODEL, "version": best["model_version"], "stage": "Production", "reason": "best of three"}
    version = promoted(api, console, api.post("/models/transition", wish)["transition_id"])
    _predict(api, console, version)
    _break(api, console)


def _upload(api: Api, rows: list[dict[str, Any]]) -> str:
    """Upload the rows as a CSV file, and return its address."""
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    content = text.getvalue().encode()
    file = {"name": "customers.csv", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}
    place = api.post("/batch-predictions/uploads", file)
    if place["url"] is not None:  # null if the same rows are there already
        answer = urllib3.request("PUT", place["url"], body=content, headers=place["headers"])
        if answer.status >= 300:
            raise LocalStackError(f"the upload of customers.csv was refused: {answer.status}")
    return str(place["input"])


def _trained(api: Api, console: Console, job_ids: list[str]) -> list[dict[str, Any]]:
    """Watch the jobs to their end, and return them. Raises LocalStackError: one of them has failed."""
    console.print(f"  POST /train  {', '.join(TYPES)}: which of {ROWS:,} customers will leave?")
    answers = states(
        lambda: [api.get(f"/train/status/{job_id}") for job_id in job_ids],
        lambda jobs: all(job["status"] in ENDED for job in jobs),
    )
    jobs: list[dict[str, Any]] = watch(console, answers, _ranked, _line)
    for job in jobs:
        if job["status"] != "completed":
            raise LocalStackError(f"{job['job_id']} is {job['status']}: {job['error']}")
    return jobs


def _line(jobs: list[dict[str, Any]]) -> str:
    return ", ".join(f"{job['job_id']} {job['status']}" for job in jobs)


def _ranked(jobs: list[dict[str, Any]]) -> Table:
    table = Table(box=None, padding=(0, 1))
    for name in ("job", "model type", "status"):
        table.add_column(name)
    for name in ("roc_auc", "accuracy", "macro_f1"):
        table.add_column(name, justify="right")
    found = [job["metrics"].get("roc_auc", 0) for job in jobs]
    for job, score in sorted(zip(jobs, found, strict=True), key=lambda pair: -pair[1]):
        figures = [job["metrics"].get(name) for name in ("roc_auc", "accuracy", "macro_f1")]
        style = "bold green" if score and score == max(found) else "red" if job["status"] == "failed" else ""
        shown = ("" if figure is None else f"{figure:.3f}" for figure in figures)
        table.add_row(job["job_id"], job["params"]["model_type"], job["status"], *shown, style=style)
    return table


def _predict(api: Api, console: Console, version: int) -> None:
    """Ask for a customer whose income is missing and whose job is one that no training row has."""
    console.rule("[bold]7. A customer is asked for: no income, and a job that training has not seen", align="left")
    row = {"plan": "basic", "income": None, "job": "astronaut", "calls": 5}
    request = {"row": row, "model_name": MODEL}
    until_served(api, request, version)
    answer = api.post("/predict", request)
    console.print(f"  churned: [bold]{answer['prediction']}[/] ({answer['confidence']:.0%})")
    for warning in answer.get("warnings") or ():
        console.print(f"  {warning}", style="yellow", soft_wrap=True, markup=False)


def _break(api: Api, console: Console, seconds: float = 40) -> None:
    """Send incomes in cents instead of francs, and wait until drift names the column. Raises TimeoutError."""
    console.rule(f"[bold]8. A column breaks: {BROKEN_ROWS} customers have their income in cents", align="left")
    rows = [
        {name: value for name, value in row.items() if name != "churned"}
        | {"income": row["income"] and round(row["income"] * 100, 2)}
        for row in customers(BROKEN_ROWS, seed=2)
    ]
    api.post("/predict/batch", {"rows": rows, "model_name": MODEL})
    deadline = time.monotonic() + seconds
    while (found := api.get(f"/drift/columns?model_name={MODEL}&moved=true"))["status"] != "alert":
        if time.monotonic() > deadline:
            raise TimeoutError(f"drift does not see the broken column after {seconds:.0f} s: {found['message']}")
        time.sleep(0.3)
    column = found["columns"][0]
    console.print(f"  drift: [bold red]{found['status']}[/] of the column [bold]{column['name']}[/]")
    console.print(f"  {column['message']}", soft_wrap=True, markup=False)
