"""Jobs and runs in the browser: starting, watching, finding and comparing them."""

import re
import uuid
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.support.console import drawn, findings, go, hidden_beside, wider_than_window
from tests.support.console_scene import LONG

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_a_job_is_started_watched_read_and_run_again_with_changes(open_console, api):
    name = f"started-{uuid.uuid4().hex[:6]}"
    page = open_console("jobs")
    page.get_by_role("button", name="New run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Epochs").fill("2")
    dialog.get_by_label("Registered model").fill(name)
    dialog.get_by_label("Experiment").fill(name)
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(dialog).to_be_hidden()
    expect(page.get_by_label("Log of the job")).to_contain_text("epoch.done")
    row = page.locator("tbody tr", has_text=name)
    expect(row.get_by_text("completed")).to_be_visible()
    page.get_by_role("button", name="Run again").click()
    expect(dialog.get_by_label("Epochs")).to_have_value("2")
    dialog.get_by_label("Epochs").fill("1")
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(page.locator("tbody tr", has_text=name)).to_have_count(2)
    newest = api.get("/train/jobs?limit=1")["jobs"][0]
    assert (newest["model_name"], newest["params"]["epochs"]) == (name, 1)


def test_a_sweep_of_a_space_is_started_and_its_runs_are_ranked_and_drawn(open_console, api, axe):
    name = f"swept-{uuid.uuid4().hex[:6]}"
    page = open_console("jobs")
    page.get_by_role("button", name="New run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="A sweep").click()
    dialog.get_by_label("Number of runs").fill("4")
    dialog.get_by_label("Epochs").fill("1")
    for field in ("Registered model", "Experiment"):
        dialog.get_by_label(field).fill(name)
    dialog.get_by_label("Space").fill("hidden_size: 32")
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(dialog.get_by_role("alert")).to_contain_text("The space is not JSON")
    dialog.get_by_label("Strategy").select_option("grid")
    dialog.get_by_label("Space").fill('{"hidden_size": [32, 48], "learning_rate": [0.0001, 0.02]}')
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(dialog).to_be_hidden()
    rows = page.get_by_role("region", name="Table of jobs").locator("tbody tr")
    expect(rows).to_have_count(4)
    sweep_id = page.get_by_label("Search the jobs that are shown").input_value()
    opened = page.get_by_role("region", name=sweep_id, exact=True)
    board = opened.get_by_role("region", name="Leaderboard of the sweep").locator("tbody tr")
    expect(board).to_have_count(4)  # from the start, with what each run is to try
    expect(opened.get_by_text("4 of 4 runs")).to_be_visible()
    expect(opened.get_by_text("completed")).to_have_count(5)  # the sweep has ended, too
    expect(rows.get_by_text("completed")).to_have_count(4)
    shows_the_sweep(opened, api.get(f"/sweeps/{sweep_id}"))

    best = board.first.get_by_role("button")
    best.press("Enter")
    detail = page.get_by_role("region", name=best.text_content(), exact=True)
    page.keyboard.press("Escape")
    expect(best).to_be_focused()
    best.press("Enter")
    expect(detail.get_by_role("link", name=sweep_id)).to_be_visible()
    page.reload()
    expect(board).to_have_count(4)
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert wider_than_window(page) == [], width
    assert findings(page, axe) == []


def shows_the_sweep(opened: Any, sweep: dict[str, Any]) -> None:
    """The runs as the API ranks them, with what differs between them, in the table and in the picture."""
    board = opened.get_by_role("region", name="Leaderboard of the sweep")
    expect(board.get_by_role("columnheader")).to_have_text(
        ["#", "Job", "Status", "Val accuracy", "learning rate", "hidden size"]
    )
    rows = [row.get_by_role("cell").all_text_contents() for row in board.locator("tbody tr").all()]
    assert rows == [
        [
            str(place),
            "completed",
            f"{100 * run['metrics']['val_accuracy']:.2f} %",
            f"{run['params']['learning_rate']:g}".replace("0.0001", "1.00e-4"),
            str(run["params"]["hidden_size"]),
        ]
        for place, run in enumerate(sweep["runs"], 1)
    ]
    picture = opened.get_by_role("img", name=re.compile("^4 runs as lines across learning rate, hidden size, val acc"))
    lines = picture.locator("polyline")
    order = [run["job_id"] for run in sweep["runs"]]
    assert lines.evaluate_all("all => all.map(line => line.dataset.job)") == order[::-1], "the best one is on top"
    ends = lines.evaluate_all("all => all.map(line => Number(line.points[2].y))")
    assert ends == sorted(ends, reverse=True), "higher up means better"
    board.get_by_role("button", name=order[2]).focus()
    expect(picture.locator(".out")).to_have_attribute("data-job", order[2])


@pytest.mark.parametrize("width", [768, 1024, 1440])
def test_the_detail_of_a_job_opens_in_sight_with_the_focus_and_closes_with_escape(open_console, scene, width):
    page = open_console("jobs", width=width)
    expect(page.locator("tbody tr").nth(3)).to_be_visible()
    opener = page.locator("tbody tr").nth(3).get_by_role("button")
    name = opener.text_content()
    opener.focus()
    page.keyboard.press("Enter")
    heading = page.get_by_role("region", name=name, exact=True).get_by_role("heading", name=name)
    expect(heading).to_be_focused()
    expect(heading).to_be_in_viewport()
    page.reload()
    expect(heading).to_be_visible()
    page.locator("tbody tr").nth(3).get_by_role("button").click()
    expect(heading).to_be_hidden()
    page.locator("tbody tr").nth(3).get_by_role("button").click()
    page.keyboard.press("Escape")
    expect(heading).to_be_hidden()
    expect(page.locator("tbody tr").nth(3).get_by_role("button")).to_be_focused()


def test_jobs_are_filtered_and_searched_and_the_row_says_why_one_failed(open_console, scene):
    page = open_console("jobs")
    page.get_by_label("Status").select_option("failed")
    page.get_by_label("Search the jobs that are shown").fill(scene.waiting)
    row = page.locator("tbody tr")
    expect(row).to_have_count(1)
    expect(row).to_contain_text("there is no such object")
    page.reload()
    expect(row).to_have_count(1)
    page.get_by_label("Search the jobs that are shown").fill("nobody has this")
    expect(page.get_by_text("None of the jobs that are shown has this text")).to_be_visible()


def test_two_runs_stand_side_by_side_with_their_curves_and_a_link_shows_the_same(open_console, api, scene):
    page = open_console(f"runs?experiment={scene.digits}")
    for name in ("challenger", "champion"):
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Compare 2").click()
    side = page.get_by_role("region", name="Side by side")
    expect(side.get_by_role("columnheader", name="challenger").first).to_be_visible()
    expect(side.get_by_role("row", name=re.compile("^learning rate"))).to_have_class("differs")
    expect(side.get_by_role("img", name="Accuracy after each epoch")).to_be_visible()
    ids = ",".join(run["run_id"] for run in api.get(f"/experiments/{scene.digits}")["runs"])
    compared = {each["name"]: each for each in api.get(f"/experiments/{scene.digits}/compare?runs={ids}")["metrics"]}
    for name, row in (("loss", "^loss"), ("accuracy", "^accuracy"), ("model_size_bytes", "^model size")):
        cells = side.get_by_role("row", name=re.compile(row)).get_by_role("cell")
        best = [cells.nth(place).get_attribute("class") == "number best" for place in range(2)]
        values = [compared[name]["values"][run] for run in ids.split(",")]
        good = (max if name == "accuracy" else min)(values)
        assert sorted(best) == sorted(compared[name]["differs"] and value == good for value in values)
    charts = side.locator("figure.chart")
    expect(charts).to_have_count(2)
    assert [drawn(chart) for chart in charts.all()] == [["challenger", "champion"]] * 2, "accuracy and loss"
    winner = side.get_by_role("row", name=re.compile("^loss")).locator("td.best")
    assert {compared[name]["better"] for name in ("loss", "calibration_error", "model_size_bytes")} == {"lower"}
    loss = compared["loss"]
    expect(winner).to_contain_text(f"{loss['values'][loss['best']]:.4g}")
    page.reload()
    expect(side.get_by_role("columnheader", name="challenger").first).to_be_visible()


def test_runs_are_filtered_sorted_and_opened(open_console, api, scene):
    page = open_console(f"runs?experiment={scene.digits}")
    rows = page.get_by_role("region", name="Leaderboard").locator("tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_label("Filter the runs that are shown").fill("params.hidden_size > 100 and champ")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("champion")
    page.get_by_label("Filter the runs that are shown").fill("")
    for order in ("champion", "challenger"):  # first from the highest, then from the lowest
        page.get_by_role("button", name=re.compile("^Hidden size")).click()
        expect(rows.first).to_contain_text(order)
    page.get_by_role("button", name="champion", exact=True).click()
    run = page.get_by_role("region", name="Run", exact=True)
    expect(run.get_by_role("heading", name="Run champion")).to_be_focused()
    expect(run.get_by_role("img", name="Accuracy after each epoch")).to_be_visible()
    (found,) = [each for each in api.get(f"/experiments/{scene.digits}")["runs"] if each["run_name"] == "champion"]
    expect(run).to_contain_text(found["run_id"])
    expect(run.get_by_role("region", name="Table of artifacts").locator("tbody tr").first).to_be_visible()


def test_metrics_that_runs_logged_themselves_are_shown(open_console, mlflow):
    experiment = f"team/{uuid.uuid4().hex[:6]} own metrics"
    experiment_id = mlflow._post("experiments/create", {"name": experiment})["experiment_id"]
    log_two_runs(mlflow, experiment_id)
    page = open_console(f"runs?{urlencode({'experiment': experiment})}")
    board = page.get_by_role("region", name="Leaderboard")
    expect(board.get_by_role("columnheader", name="Val rmse")).to_be_visible()
    expect(board.get_by_role("row", name=re.compile("second"))).to_contain_text("0.375")
    for name in ("first", "second"):
        page.get_by_label(f"Choose {name}").check()
    page.get_by_role("button", name="Compare 2").click()
    side = page.get_by_role("region", name="Side by side")
    best = side.get_by_role("row", name=re.compile("^val rmse")).locator("td.best")
    expect(best).to_contain_text("0.25")
    chart = side.locator("figure.chart")
    expect(chart).to_have_count(1)
    assert drawn(chart) == ["first", "second"]


def log_two_runs(mlflow: Any, experiment_id: str) -> None:
    for name, errors in (("first", (0.5, 0.25)), ("second", (0.5, 0.375))):
        run = {"experiment_id": experiment_id, "run_name": name, "start_time": 1_700_000_000_000_000}
        run_id = mlflow._post("runs/create", run)["run"]["info"]["run_id"]
        points = [
            {"key": "val rmse", "value": error, "timestamp": 1, "step": step} for step, error in enumerate(errors)
        ]
        mlflow._post("runs/log-batch", {"run_id": run_id, "metrics": points})


def test_the_number_of_runs_beside_an_experiment_grows_as_runs_start(open_console, mlflow):
    experiment = f"grows {uuid.uuid4().hex[:6]}"
    experiment_id = mlflow._post("experiments/create", {"name": experiment})["experiment_id"]
    log_two_runs(mlflow, experiment_id)
    page = open_console(f"runs?{urlencode({'experiment': experiment})}")
    chosen = page.get_by_label("Experiment").get_by_role("option", name=f"{experiment} (2)")
    expect(chosen).to_be_attached()
    log_two_runs(mlflow, experiment_id)
    expect(page.get_by_label("Experiment").get_by_role("option", name=f"{experiment} (4)")).to_be_attached()


def test_a_long_name_is_cut_in_its_column_and_whole_in_its_title(open_console, scene):
    page = open_console("jobs", width=1440)
    page.get_by_label("Search the jobs that are shown").fill(LONG[:40])
    cell = page.locator("tbody td.long", has_text=LONG[:20]).first
    expect(cell).to_have_attribute("title", re.compile(f"^{LONG}"))
    assert cell.bounding_box()["width"] <= 400  # a wide table shares out its room
    go(page, f"runs?{urlencode({'experiment': cell.get_attribute('title')})}")
    expect(page.get_by_label("Experiment")).to_be_visible()
    assert page.get_by_label("Experiment").bounding_box()["width"] <= 270


def test_a_sweep_is_found_in_the_list_and_cancelled_from_its_panel(open_console, api, key_of, axe):
    name = f"cancelled-{uuid.uuid4().hex[:6]}"
    wanted = {"num_runs": 3, "epochs": 100, "model_name": name, "experiment_name": name}
    sweep_id = api.post("/sweeps", wanted)["sweep_id"]
    page = open_console("jobs")
    page.get_by_role("button", name="Sweeps").click()
    row = page.get_by_role("region", name="Table of sweeps").get_by_role("row").filter(has_text=sweep_id)
    expect(row).to_contain_text("0 of 3")
    expect(row.get_by_role("link", name=name)).to_be_visible()
    row.get_by_role("button", name=sweep_id).press("Enter")
    opened = page.get_by_role("region", name=sweep_id, exact=True)
    expect(opened.get_by_role("heading", name=sweep_id)).to_be_focused()
    page.reload()  # list and sweep are in the address
    expect(row).to_be_visible()
    opened.get_by_role("button", name="Cancel the sweep").click()
    expect(opened.get_by_text("3 of 3 runs")).to_be_visible()
    expect(opened.get_by_role("button", name="Cancel the sweep")).to_have_count(0)
    assert api.get(f"/sweeps/{sweep_id}")["status"] == "cancelled"
    expect(row).to_contain_text("3 of 3")
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert wider_than_window(page) == [], width
    assert findings(page, axe) == []
    reader = open_console(f"jobs?list=sweeps&sweep={sweep_id}", key_of("read"))
    expect(reader.get_by_role("region", name=sweep_id, exact=True)).to_contain_text("3 of 3 runs")
    expect(reader.get_by_role("button", name=re.compile("^Cancel"))).to_have_count(0)


def test_the_last_column_of_jobs_is_whole_at_1280_pixels(open_console):
    page = open_console("start", width=1280)
    page.route("**/train/jobs?*", lambda route: route.fulfill(json=wide_jobs()))
    go(page, "jobs")
    table = page.get_by_role("region", name="Table of jobs")
    expect(table.get_by_text("59 min ago").first).to_be_visible()
    assert hidden_beside(table) == 0


def wide_jobs() -> dict[str, Any]:
    """A running, a failed and a long job, each with what takes the most room."""
    created = (datetime.now(UTC) - timedelta(minutes=59)).isoformat()
    job = {"experiment_name": LONG, "model_name": LONG, "model_version": 1234, "params": {}, "created_at": created}
    job |= {"progress": {"epoch": 270, "epochs": 500}, "objective": {"name": "val_accuracy", "direction": "maximise"}}
    job |= {"started_at": "2026-01-01T00:00:00Z", "metrics": {"val_accuracy": 0.987654}, "run_id": None}
    states = [("running", None), ("failed", "there is no such object " * 9), ("completed", None)]
    jobs = [
        {**job, "job_id": f"job_{place:06d}", "status": status, "error": error, "completed_at": "2026-01-02T03:40:00Z"}
        for place, (status, error) in enumerate(states)
    ]
    return {"jobs": jobs, "total_count": 3, "next_cursor": None}
