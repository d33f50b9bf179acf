"""Watching and Operations in the browser: drift by signal and column, labels, health and cost."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.console import BETWEEN, drawn, go, hidden_beside

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
PRICES = Path(__file__).parents[3] / "console/src/prices.json"


def test_drift_over_time_shows_each_signal_with_gaps_where_too_little_was_asked(open_console, api, scene, held_out):
    page = open_console(f"watching?model={scene.digits}")
    over_time = page.get_by_role("region", name="Over time, by signal")
    expect(over_time).to_contain_text(re.compile("A point needs 200 predictions"))
    for start in (0, 100, 200):
        api.post("/predict/batch", {"images": held_out[0][start : start + 100], "model_name": scene.digits})
    api.wait(f"/drift/status?model_name={scene.digits}", until=lambda found: found["current"]["samples"] >= 300)

    # Around the full hour the predictions may fall into two hours; a longer step holds them all.
    page.get_by_label("Time", exact=True).select_option("168")
    expect(over_time.get_by_role("img", name="PSI by signal over time")).to_be_visible()
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
    published = api.get(f"/drift/history?model_name={scene.digits}&hours=168&step_hours=6")
    (point,) = [each for each in published["points"] if each["psi"] is not None]
    assert [float(cell) for cell in judged[0]] == pytest.approx([each["psi"] for each in point["signals"]], rel=1e-3)


def test_columns_are_ranked_and_both_histograms_of_one_are_shown(open_console, api, scene):
    page = open_console(f"watching?model={scene.table}")
    columns = page.get_by_role("region", name="Columns", exact=True)
    found = api.get(f"/drift/status?model_name={scene.table}")["columns"]["columns"]
    assert [each["name"] for each in found[:2]] == ["income", "job"]
    expect(columns.get_by_role("rowheader")).to_have_text([each["name"] for each in found])
    expect(columns.get_by_role("row", name=re.compile("^income"))).to_contain_text("alert")
    income = page.get_by_role("region", name="Values of income", exact=True)
    expect(income.get_by_role("img", name="Values of income")).to_be_visible()
    assert drawn(income.locator("figure.chart")) == ["current", "training data"]
    columns.get_by_role("button", name="job").click()
    job = page.get_by_role("region", name="Values of job", exact=True)
    expect(job).to_contain_text("a value that training did not see")
    page.reload()
    expect(job.get_by_role("img", name="Values of job")).to_be_visible()


@pytest.mark.parametrize("width", [1024, 1200, 1280, 1440])
def test_tables_show_their_last_column_without_scrolling_sideways(open_console, scene, width):
    page = open_console("jobs", width=width)
    page.route("**/drift/status*", lambda route: route.fulfill(json=made_up_drift("alert", signals=SIGNALS)))
    go(page, f"watching?model={scene.digits}")
    signals = page.get_by_role("region", name="Table of signals")
    expect(signals.get_by_role("columnheader")).to_have_text(["Signal", "Against", "PSI", "p-value", "Verdict"])
    expect(signals.locator("tbody tr")).to_have_count(2 * len(SIGNALS))
    assert hidden_beside(signals) == 0
    for verdict in signals.locator("tbody tr td:last-child").all():
        expect(verdict).to_be_in_viewport(ratio=1)
    page.unroute_all()
    go(page, f"watching?model={scene.table}")
    columns = page.get_by_role("region", name="Table of columns")
    expect(columns.get_by_role("columnheader", name="Verdict")).to_be_visible()
    assert hidden_beside(columns) == 0
    live = page.get_by_role("region", name="Table of live performance")
    expect(live.get_by_role("columnheader", name="Verdict")).to_be_visible()
    assert hidden_beside(live) == 0


def test_labels_show_how_well_the_version_does_now_beside_training(open_console, api, scene):
    page = open_console(f"watching?model={scene.table}")
    live = page.get_by_role("region", name="Labels and live performance")
    (version,) = api.get(f"/performance/status?model_name={scene.table}")["versions"]
    row = live.get_by_role("region", name="Table of live performance").locator("tbody tr")
    accuracy = version["classification"]["accuracy"]["value"]
    expect(row).to_contain_text(re.compile(rf"{100 * accuracy:.2f} %accuracy \d+\.\d\d % to \d+"))
    expect(row).to_contain_text(f"{100 * version['held_out']['accuracy']:.2f} %")
    expect(live.get_by_role("img", name="accuracy by day")).to_be_visible()
    assert drawn(live.locator("figure.chart").last) == ["said", "right"]


def test_a_change_of_the_last_hour_is_said_apart_from_the_days_verdict(open_console, scene):
    page = open_console("jobs")
    answers = {"24": made_up_drift("warning"), "1": made_up_drift("alert")}
    page.route(
        "**/drift/status*",
        lambda route: route.fulfill(json=answers[route.request.url.rsplit("current_hours=", 1)[1]]),
    )
    go(page, f"watching?model={scene.digits}")
    said = page.locator("main > .stack > .banner")
    expect(said).to_contain_text("The last 24 hours: warning. The last hour alone: alert.")


def test_a_line_is_lifted_over_gaps(open_console, scene):
    page = open_console("jobs")
    page.route("**/drift/status*", lambda route: route.fulfill(json=made_up_drift("stable")))
    page.route("**/drift/history*", lambda route: route.fulfill(json=made_up_history(1, 2, None, 1, 3)))
    go(page, f"watching?model={scene.digits}")
    expect(page.get_by_role("img", name="PSI by signal over time")).to_be_visible()
    between = page.get_by_role("region", name="Over time, by signal").locator("figure.chart").evaluate(BETWEEN)
    assert between == [True, False, False, True]


def test_what_it_costs_is_said_with_what_is_assumed(open_console, scene):
    page = open_console("operations")
    cost = page.get_by_role("region", name="Approximate cost on AWS")
    at_rest = json.loads(PRICES.read_text())["prices"]["rest_month"]
    expect(cost).to_contain_text(f"At rest, per month${at_rest}.00")
    expect(cost).to_contain_text(re.compile(r"Assumed: list prices of us-east-1, looked up on \d{4}-\d\d-\d\d"))


THRESHOLDS = {"minimum_samples": 200, "warning": 0.1, "alert": 0.25, "significance": 0.01}
WINDOW = {"hours": 24, "start": "2026-01-01T00:00:00Z", "end": "2026-01-02T00:00:00Z", "samples": 5000}


SIGNALS = ("predictions", "confidence", "mean_intensity", "block_means")


def made_up_drift(status: str, signals: tuple[str, ...] = ()) -> dict[str, Any]:
    """The signals are all in alarm, against earlier predictions and against training data."""
    judged = [
        {"signal": name, "psi": 12.345, "p_value": 0.0001, "significant": True, "status": "warning"} for name in signals
    ]
    return {
        "model_name": "any",
        "model_version": 1,
        "status": status,
        "psi": 0.01,
        "signal": "confidence",
        "against": "baseline",
        "message": "Nothing moved" if status == "stable" else "The confidence has moved",
        "thresholds": THRESHOLDS,
        "comparisons": [
            {"against": against, "samples": 5000, "psi": 0.01, "signals": judged, "note": None}
            for against in ("baseline", "reference")
            if judged
        ],
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
