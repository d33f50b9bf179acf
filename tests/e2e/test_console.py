"""The web console in a real headless Chromium, against the stack of the session."""

import json
import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from tests.e2e.browser import find_axe, find_chromium
from tests.support.steps import ENDED, promote
from tools.screenshots.browser import FLAGS

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own

playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
VIEWS = ("draw", "jobs", "runs", "models", "drift", "health")
# Chromium's own word for any answer of 400 or more, which a test may be about.
REFUSALS = re.compile(r"Failed to load resource")
PRICES = Path(__file__).parents[2] / "console/src/prices.json"
PATIENCE = 60_000
expect.set_options(timeout=PATIENCE)  # the default of 5 s is short where other tests run beside


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = find_chromium()
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="module")
def axe() -> str:
    return find_axe()


@pytest.fixture(scope="module")
def model() -> str:
    """The name of a model, and of an experiment, that these tests alone use."""
    return f"console-{uuid.uuid4().hex[:6]}"


@pytest.fixture(scope="module")
def versions(api, model) -> tuple[int, int]:
    """A version in Production and a registered one, of two runs in one experiment."""
    subject = {"model_name": model, "experiment_name": model, "epochs": 5}
    runs = [("champion", 0.005, 128), ("challenger", 0.008, 64)]
    started = [
        api.post("/train", {**subject, "run_name": name, "learning_rate": rate, "hidden_size": hidden})["job_id"]
        for name, rate, hidden in runs
    ]
    ended = [api.wait(f"/train/status/{each}", until=lambda job: job["status"] in ENDED) for each in started]
    assert [job["status"] for job in ended] == ["completed", "completed"], ended
    champion, challenger = (job["model_version"] for job in ended)
    assert promote(api, champion, model=model)["status"] == "succeeded"
    return champion, challenger


@pytest.fixture
def open_console(browser, stack) -> Iterator[Callable[..., Any]]:
    """Opens the console, signed in unless `key` is None; at the end nothing was wrong, and no request left."""
    contexts, complaints, strangers = [], [], []

    def opened(view: str = "draw", key: str | None = stack.api_key, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type in ("error", "warning") and not REFUSALS.search(said.text)
                else None
            ),
        )
        page.on(
            "request",
            lambda sent: None if sent.url.startswith((stack.api_url, "data:")) else strangers.append(sent.url),
        )
        page.goto(f"{stack.api_url}/console#/{view}")
        if key is not None:
            sign_in(page, key)
            page.wait_for_selector(".frame")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert strangers == []


def sign_in(page: Any, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Open the console").click()


def test_a_drawn_seven_is_read_as_a_seven(open_console, model, versions):
    page = open_console(f"draw?model={model}")
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    draw(page, [(0.25, 0.15), (0.72, 0.15), (0.42, 0.88)])
    draw(page, [(0.32, 0.5), (0.76, 0.5)])  # the data set's sevens have a bar
    expect(page.get_by_test_id("says-Production")).to_have_text("7", timeout=PATIENCE)
    shares = page.get_by_label("Production's probabilities").get_by_role("listitem")
    expect(shares).to_have_count(10)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("region", name="Production").get_by_text("Draw something.")).to_be_visible()


def test_the_pad_can_be_drawn_on_with_the_keyboard_alone(open_console, model, versions):
    page = open_console(f"draw?model={model}")
    page.get_by_role("application").focus()
    for key in [" ", *["ArrowDown"] * 20]:
        page.keyboard.press(key)
    expect(page.get_by_test_id("says-Production")).to_have_text(re.compile(r"^\d$"), timeout=PATIENCE)
    page.keyboard.press("Delete")
    expect(page.get_by_test_id("says-Production")).to_be_hidden()


# A picture of an upright stroke, dropped on the pad as from another window.
DROP = """async ([paper, ink]) => {
  const canvas = new OffscreenCanvas(200, 300);
  const paint = canvas.getContext("2d");
  paint.fillStyle = paper;
  paint.fillRect(0, 0, 200, 300);
  paint.fillStyle = ink;
  paint.fillRect(85, 40, 34, 220);
  const dropped = new DataTransfer();
  dropped.items.add(new File([await canvas.convertToBlob()], "one.png", { type: "image/png" }));
  const pad = document.querySelector(".pad");
  pad.dispatchEvent(new DragEvent("drop", { dataTransfer: dropped, bubbles: true, cancelable: true }));
}"""


def test_a_dropped_picture_is_read_as_ink_on_paper_or_in_the_dark(open_console, model, versions):
    page = open_console(f"draw?model={model}")
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true", timeout=PATIENCE)
    for paper, ink in (("white", "black"), ("black", "white")):
        page.evaluate(DROP, [paper, ink])
        expect(page.get_by_test_id("says-Production")).to_have_text("1", timeout=PATIENCE)
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_test_id("says-Production")).to_be_hidden()
    page.get_by_label("Open a picture").set_input_files(
        {"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    expect(page.get_by_role("alert")).to_contain_text("note.txt is not a picture")


def test_promoting_on_the_board_archives_the_version_before(open_console, api, model, versions):
    before, after = versions
    page = open_console(f"models?model={model}")
    page.get_by_role("button", name=f"Move version {after} to Production").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Reason").fill("better in the browser")
    dialog.get_by_label(re.compile("Skip the metric gate")).check()
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog.get_by_text(f"Version {after} is in Production")).to_be_visible(timeout=PATIENCE)
    dialog.get_by_role("button", name="Close").click()
    production, archived = (page.get_by_role("region", name=name, exact=True) for name in ("Production", "Archived"))
    expect(production.get_by_text(f"Version {after}", exact=True)).to_be_visible()
    expect(archived.get_by_text(f"Version {before}", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="History").get_by_text("better in the browser")).to_be_visible()
    assert api.get(f"/models/{model}")["production_version"] == after

    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("dialog").get_by_text(f"Version {before} is in Production")).to_be_visible(timeout=PATIENCE)
    assert api.get(f"/models/{model}")["production_version"] == before


def test_staging_answers_beside_production(open_console, api, model, versions):
    _, challenger = versions
    assert promote(api, challenger, stage="Staging", model=model)["status"] == "succeeded"
    page = open_console(f"draw?model={model}")
    draw(page, [(0.5, 0.1), (0.5, 0.9)])
    expect(page.get_by_test_id("says-Staging")).to_be_visible(timeout=PATIENCE)


def test_two_runs_stand_side_by_side_with_their_curves(open_console, api, model, versions):
    page = open_console(f"runs?experiment={model}")
    page.get_by_label("Choose challenger").check()
    page.get_by_label("Choose champion").check()
    page.get_by_role("button", name="Compare 2").click()
    side = page.get_by_role("region", name="Side by side")
    expect(side.get_by_role("columnheader", name="challenger").first).to_be_visible(timeout=PATIENCE)
    expect(side.get_by_role("row", name=re.compile("^learning rate"))).to_have_class("differs")
    expect(side.get_by_role("img", name="Accuracy on held-out data")).to_be_visible()
    ids = ",".join(run_ids(api, model)[:2])
    compared = {each["name"]: each for each in api.get(f"/experiments/{model}/compare?runs={ids}")["metrics"]}
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


def test_metrics_that_runs_logged_themselves_are_shown(open_console, mlflow):
    experiment = f"team/{uuid.uuid4().hex[:6]} own metrics"
    experiment_id = mlflow._post("experiments/create", {"name": experiment})["experiment_id"]
    for name, errors in (("first", (0.5, 0.25)), ("second", (0.5, 0.375))):
        run = {"experiment_id": experiment_id, "run_name": name, "start_time": 1_700_000_000_000_000}
        run_id = mlflow._post("runs/create", run)["run"]["info"]["run_id"]
        points = [
            {"key": "val rmse", "value": error, "timestamp": 1, "step": step} for step, error in enumerate(errors)
        ]
        mlflow._post("runs/log-batch", {"run_id": run_id, "metrics": points})
    page = open_console(f"runs?{urlencode({'experiment': experiment})}")
    board = page.get_by_role("region", name="Leaderboard")
    expect(board.get_by_role("columnheader", name="Val rmse")).to_be_visible(timeout=PATIENCE)
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


def test_a_model_that_cannot_be_served_says_why_and_offers_no_move(open_console, mlflow):
    name = f"größe {uuid.uuid4().hex[:6]}"
    mlflow._post("registered-models/create", {"name": name})
    mlflow._post("model-versions/create", {"name": name, "source": "s3://somewhere/mlflow/m"})
    page = open_console(f"models?{urlencode({'model': name})}")
    expect(page.get_by_text("Version 1", exact=True)).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_text("rename the model in MLflow")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_be_disabled()
    expect(page.get_by_role("button", name=re.compile("Move version|Archive version"))).to_have_count(0)


def test_drift_over_time_shows_each_signal_with_gaps_where_too_little_was_asked(
    open_console, api, model, versions, held_out
):
    page = open_console(f"drift?model={model}")
    over_time = page.get_by_role("region", name="Over time, by signal")
    expect(over_time).to_contain_text(re.compile("A point needs 200 predictions"))
    for start in (0, 100, 200):
        api.post("/predict/batch", {"images": held_out[0][start : start + 100], "model_name": model})
    api.wait(f"/drift/status?model_name={model}", until=lambda found: found["current"]["samples"] >= 300)

    # Around the full hour the predictions may fall into two hours; a longer step holds them all.
    page.get_by_label("Time", exact=True).select_option("168")
    expect(over_time.get_by_role("img", name="PSI by signal over time")).to_be_visible(timeout=PATIENCE)
    expect(over_time).to_contain_text("27 of 28 have too few, and are gaps")
    expect(over_time.locator(".legend .series")).to_have_count(5)
    expect(over_time.locator(".legend .mark")).to_have_count(2)
    painted = drawn(over_time.locator("figure.chart"))
    assert painted[-2:] == ["warning 0.1", "alert 0.2"]
    assert len(painted) > 2, "the points of the one hour are there, though some may hide others"
    table = over_time.get_by_role("table", name="PSI by signal over time")
    rows = table.get_by_role("row")
    expect(rows).to_have_count(29)
    assert rows.first.get_by_role("columnheader").all_text_contents()[1:] == [
        "predictions",
        "confidence",
        "mean intensity",
        "ink share",
        "block means",
    ]
    cells = [row.get_by_role("cell").all_text_contents() for row in rows.all()[1:]]
    judged = [row for row in cells if row != ["too few predictions"] * 5]
    assert len(judged) == 1
    published = api.get(f"/drift/history?model_name={model}&hours=168&step_hours=6")
    (point,) = [each for each in published["points"] if each["psi"] is not None]
    assert [float(cell) for cell in judged[0]] == pytest.approx([each["psi"] for each in point["signals"]], rel=1e-3)


def test_a_line_is_lifted_over_gaps(open_console, model, versions):
    page = open_console("jobs")
    page.route("**/drift/status*", lambda route: route.fulfill(json=made_up_drift()))
    page.route("**/drift/history*", lambda route: route.fulfill(json=made_up_history(1, 2, None, 1, 3)))
    page.evaluate(f"location.hash = '#/drift?model={model}'")
    expect(page.get_by_role("img", name="PSI by signal over time")).to_be_visible(timeout=PATIENCE)
    between = page.get_by_role("region", name="Over time, by signal").locator("figure.chart").evaluate(BETWEEN)
    assert between == [True, False, False, True]


def test_what_it_costs_is_said_with_what_is_assumed(open_console, versions):
    page = open_console("health")
    cost = page.get_by_role("region", name="Approximate cost on AWS")
    at_rest = json.loads(PRICES.read_text())["prices"]["rest_month"]
    expect(cost).to_contain_text(f"At rest, per month${at_rest}.00")
    expect(cost).to_contain_text(re.compile(r"Assumed: list prices of us-east-1, looked up on \d{4}-\d\d-\d\d"))


def test_a_job_is_started_watched_and_read(open_console):
    page = open_console("jobs")
    page.get_by_role("button", name="New run").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Epochs").fill("2")
    dialog.get_by_label("Registered model").fill("console-started")
    dialog.get_by_role("button", name="Start", exact=True).click()
    expect(dialog).to_be_hidden()
    row = page.locator("tbody tr").first
    expect(row.get_by_text("completed")).to_be_visible(timeout=PATIENCE)
    expect(page.get_by_label("Log of the job")).to_contain_text("epoch.done", timeout=PATIENCE)


def test_a_wrong_key_is_refused_and_a_right_one_is_gone_with_the_tab(open_console, stack, browser):
    page = open_console(key=None)
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("This key is not known")
    sign_in(page, stack.api_key)
    page.wait_for_selector(".frame")
    assert stack.api_key not in json.dumps(page.context.storage_state())
    another = page.context.new_page()
    another.goto(f"{stack.api_url}/console")
    expect(another.get_by_label("API key")).to_be_visible()


def test_when_the_api_is_down_it_says_so_and_goes_on_when_it_is_back(open_console):
    page = open_console("jobs")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.route(re.compile("/(train|health)"), lambda route: route.abort())
    expect(page.get_by_role("alert")).to_contain_text("The API does not answer")
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(page.locator("#state")).to_contain_text("API down")
    page.unroute_all()
    expect(page.get_by_role("alert")).to_be_hidden(timeout=PATIENCE)


def test_a_web_page_instead_of_an_answer_is_an_error_in_a_sentence(open_console):
    page = open_console("draw")
    page.route("**/train/jobs*", lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>hi</h1>"))
    page.evaluate("location.hash = '#/jobs'")
    expect(page.get_by_role("alert")).to_contain_text("not JSON")


def test_long_lists_come_in_pages(open_console):
    page = open_console("draw")
    page.route("**/train/jobs?*", lambda route: route.fulfill(json=made_up_jobs(route.request.url)))
    page.evaluate("location.hash = '#/jobs'")
    rows = page.locator("tbody tr")
    expect(rows).to_have_count(50)
    for shown in (100, 150, 200):
        page.get_by_role("button", name="Show more").click()
        expect(rows).to_have_count(shown)
    expect(page.get_by_text("200 of 12,345")).to_be_visible()


THRESHOLDS = {"minimum_samples": 200, "warning": 0.1, "alert": 0.25, "significance": 0.01}
WINDOW = {"hours": 24, "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "samples": 5000}


def made_up_drift() -> dict[str, Any]:
    return {
        "model_name": "any",
        "model_version": 1,
        "status": "stable",
        "psi": 0.01,
        "signal": "confidence",
        "against": "baseline",
        "message": "Nothing moved",
        "thresholds": THRESHOLDS,
        "comparisons": [],
        "current": WINDOW,
        "baseline": WINDOW,
        "reference_samples": 0,
        "current_distribution": {"0": 0.5, "1": 0.5},
        "baseline_distribution": {"0": 0.4, "1": 0.6},
        "reference_distribution": None,
    }


def made_up_history(*values: float | None) -> dict[str, Any]:
    """One signal with these values, an hour apart."""
    points = [
        {
            "start": f"2026-01-01T{hour:02d}:00:00Z",
            "end": f"2026-01-01T{hour + 1:02d}:00:00Z",
            "samples": 1000,
            "status": "alert" if psi else "insufficient_data",
            "psi": psi,
            "signal": "confidence" if psi else None,
            "signals": [{"signal": "confidence", "psi": psi, "p_value": 0, "significant": True, "status": "alert"}]
            if psi
            else [],
            "note": None,
        }
        for hour, psi in enumerate(values)
    ]
    return {"points": points, "thresholds": THRESHOLDS, "step_hours": 1, "against": "baseline"}


def made_up_jobs(url: str) -> dict[str, Any]:
    """A page of a list of 12,345 jobs, one with a name that looks like markup."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    start, limit = int(asked.get("cursor", 0)), int(asked["limit"])
    jobs = [
        {
            "job_id": f"job_{12345 - number:06d}",
            "run_id": None,
            "experiment_name": "<img src=x onerror=alert(1)>",
            "status": "running",
            "progress": {"epoch": number % 10, "epochs": 10},
            "metrics": {"val_accuracy": 0.9},
            "params": {},
            "created_at": "2026-01-01T00:00:00Z",
        }
        for number in range(start, start + limit)
    ]
    return {"jobs": jobs, "total_count": 12345, "next_cursor": str(start + limit)}


@pytest.mark.parametrize(("scheme", "views"), [("light", VIEWS), ("dark", ("draw", "models"))])
def test_no_view_has_a_serious_accessibility_finding(open_console, versions, axe, scheme, views):
    page = open_console(key=None, color_scheme=scheme)
    assert findings(page, axe) == []
    page.close()
    page = open_console(color_scheme=scheme)
    for view in views:
        page.evaluate(f"location.hash = '#/{view}'")
        settle(page)
        assert findings(page, axe) == [], view
    page.evaluate("location.hash = '#/jobs'")
    page.get_by_role("button", name="New run").click()
    assert findings(page, axe) == []


def test_a_phone_shows_every_view_without_scrolling_sideways(open_console, versions):
    page = open_console(width=375)
    for view in VIEWS:
        page.evaluate(f"location.hash = '#/{view}'")
        settle(page)
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, view


def test_the_whole_frame_is_reached_with_the_tab_key(open_console):
    page = open_console("jobs")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.reload()
    expect(page.locator("tbody tr").first).to_be_visible()
    seen = set()
    for _ in range(16):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Skip to the content", "Draw", "Models", "Health", "Sign out", "New run"} <= seen


# The entries of a chart's legend whose colour is painted on its canvas.
DRAWN = """(figure) => {
  const canvas = figure.querySelector("canvas");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const painted = new Set();
  for (let at = 0; at < data.length; at += 4) {
    if (data[at + 3] === 255) painted.add(`rgb(${data[at]}, ${data[at + 1]}, ${data[at + 2]})`);
  }
  const colour = (swatch) => {
    const style = getComputedStyle(swatch);
    return style.borderTopStyle === "none" ? style.backgroundColor : style.borderTopColor;
  };
  const entries = [...figure.querySelectorAll(".legend .series, .legend .mark")];
  const seen = entries.filter((entry) => painted.has(colour(entry.querySelector(".swatch"))));
  return seen.map((entry) => entry.textContent);
}"""
# Whether the first line is painted half-way from each of five points to the next.
BETWEEN = """(figure) => {
  const canvas = figure.querySelector("canvas");
  const [whole, plot] = [canvas, figure.querySelector(".u-over")].map((each) => each.getBoundingClientRect());
  const wanted = getComputedStyle(figure.querySelector(".swatch")).backgroundColor.match(/\\d+/g).map(Number);
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  return [0, 1, 2, 3].map((place) => {
    const x = ((plot.left - whole.left + plot.width * (place + 0.5) / 4) * canvas.width) / whole.width;
    for (let at = Math.round(x) * 4; at < data.length; at += canvas.width * 4) {
      if (data[at + 3] > 200 && wanted.every((value, index) => Math.abs(value - data[at + index]) < 30)) return true;
    }
    return false;
  });
}"""


def drawn(chart: Any) -> list[str]:
    """The names of the lines, bars and marks that are to be seen in a chart."""
    expect(chart.locator("canvas")).to_be_visible()
    names: list[str] = chart.evaluate(DRAWN)
    return names


def run_ids(api: Any, experiment: str) -> list[str]:
    return [run["run_id"] for run in api.get(f"/experiments/{experiment}")["runs"]]


def draw(page: Any, points: list[tuple[float, float]]) -> None:
    """A stroke over the pad, through points in shares of its sides."""
    page.wait_for_load_state("networkidle")
    box = page.get_by_role("application").bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=10)
    page.mouse.up()


def settle(page: Any) -> None:
    """Until the view has something to show."""
    expect(page.locator("main h1")).to_be_visible()
    expect(page.locator("main")).not_to_contain_text("Loading…", timeout=PATIENCE)


def findings(page: Any, axe: str) -> list[str]:
    """axe-core's serious and critical findings."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:160]} {each['nodes'][0]['failureSummary'][:200]}"
        for each in found["violations"]
        if each["impact"] in ("serious", "critical")
    ]
