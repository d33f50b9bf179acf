"""Every view at every width, light and dark, with data and without, for each role, down and throttled."""

import re
from collections import Counter
from typing import Any, get_args
from urllib.parse import parse_qs, urlsplit

import pytest

from mlops.domain.access import RANK, Role
from tests.support.console import (
    NARROWEST_CARD,
    VIEWS,
    addresses,
    check,
    findings,
    go,
    open_view,
    sign_in,
    wider_than_window,
)

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
FIRST_VIEW_REQUESTS = 10
API = re.compile(
    "/(train|sweeps|models|experiments|datasets|ready|drift|performance|model-types|webhooks|keys)(/|\\?|$)"
)
"""What views ask; the key and the API's state are asked by the frame."""


def test_every_view_with_data_fits_and_is_accessible(open_console, scene, axe):
    page = open_console("operations")
    for name, address in addresses(scene).items():
        open_view(page, name, address)
        check(page, axe, name)


def test_every_view_without_data_says_so_and_what_to_do(open_console, key_of, axe):
    # A key for models that nobody has made sees what an empty installation shows.
    page = open_console("operations", key_of("train", "nobody-has-this*"))
    said = {
        "start": "The first four steps",
        "predict": "No models yet",
        "data": "No run has logged its data yet",
        "jobs": "Start one with New run",
        "jobs?list=sweeps": "No sweeps",
        "runs": "No runs yet",
        "models": "No models yet",
        "watching": "No models yet",
        "operations": "No version is in Production",
    }
    for view, text in said.items():
        go(page, view)
        expect(page.locator("main")).to_contain_text(text)
        check(page, axe, view)


def test_every_view_of_a_model_with_two_hundred_versions_and_a_thousand_jobs_fits(open_console, key_of, many, axe):
    page = open_console("operations", key_of("read", many))
    shown = {
        "start": page.get_by_role("region", name="Table of the latest jobs").locator("tbody tr").nth(5),
        f"predict?model={many}": page.get_by_role("application"),
        "data": page.get_by_role("region", name="Table of data sets").get_by_role("link", name=many),
        "jobs": page.get_by_text(re.compile(r"^50 of 1,00\d$")),
        f"runs?experiment={many}": page.get_by_role("region", name="Table of runs").locator("tbody tr"),
        f"models?model={many}": page.get_by_role("button", name=re.compile("^Show more of 20\\d$")),
        f"watching?model={many}": page.get_by_role("region", name="Labels and live performance"),
        "operations": page.get_by_role("region", name="Jobs by state").get_by_text("981", exact=True),
    }
    for address, last in shown.items():
        go(page, address)
        expect(last).to_be_visible()
        check(page, axe, address)


@pytest.mark.parametrize("role", get_args(Role))
def test_each_role_is_offered_what_it_may_do_and_told_why_not(open_console, key_of, scene, axe, role):
    page = open_console("start", key_of(role))
    for address, button, least, deed in (
        ("jobs", "New run", "train", "To start or cancel a run"),
        (f"models?model={scene.digits}", "Roll back", "approve", "To roll back or roll out"),
        ("operations", "Add a webhook", "admin", "To see webhooks"),
    ):
        go(page, address)
        offered = page.get_by_role("button", name=button, exact=True)
        if RANK[role] >= RANK[least]:
            expect(offered).to_be_visible()
            expect(page.get_by_text(deed)).to_have_count(0)
        elif RANK[role] >= RANK["read"]:
            expect(page.locator("main .notice").first).to_contain_text("needs a key with the role")
            expect(offered).to_have_count(0)
        else:
            expect(page.locator("main")).to_contain_text("This view needs a key with the role read")
            expect(offered).to_have_count(0)
        check(page, axe, f"{address} as {role}")


def test_dialogs_and_signing_in_are_accessible(open_console, scene, axe):
    page = open_console(key=None)
    assert findings(page, axe) == []
    page = open_console("jobs")
    page.get_by_role("button", name="New run").click()
    expect(page.get_by_role("dialog").get_by_label("Epochs")).to_be_visible()
    assert findings(page, axe) == []
    page.keyboard.press("Escape")
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name=re.compile("Go to a view"))).to_be_focused()
    assert findings(page, axe) == []


@pytest.mark.parametrize("width", [761, 900, 1000])
def test_panels_keep_their_width_where_there_is_room_for_one_only(open_console, scene, width):
    page = open_console("operations", width=width)
    for name, address in addresses(scene).items():
        go(page, address)
        cards = page.locator("main .card:not(.tile)").evaluate_all("all => all.map(card => card.clientWidth)")
        assert min(cards) >= NARROWEST_CARD, (name, cards)
        assert wider_than_window(page) == [], name


def test_a_thousand_jobs_come_in_pages_and_headings_stay_above_the_rows(open_console, axe):
    page = open_console("start")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url) if "/train/jobs?" in sent.url else None)
    page.route("**/train/jobs?*", lambda route: route.fulfill(json=made_up_jobs(route.request.url)))
    go(page, "jobs")
    rows = page.locator("tbody tr")
    for shown in range(50, 1000, 50):
        expect(rows).to_have_count(shown)
        page.get_by_role("button", name="Show more").click()
    expect(rows).to_have_count(1000)
    expect(page.get_by_text("1000 of 12,345")).to_be_visible()
    assert "<img" in page.locator("tbody td.long").first.text_content()
    asked.clear()
    page.wait_for_timeout(3500)
    assert 1 <= len(asked) <= 4, "one page a look, however many are shown"
    table = page.get_by_role("region", name="Table of jobs")
    table.evaluate("place => { place.scrollTop = place.scrollHeight; }")
    expect(rows.last).to_be_in_viewport()
    heading = page.get_by_role("columnheader", name="Status")
    expect(heading).to_be_in_viewport()
    inside = heading.bounding_box()["y"] - table.bounding_box()["y"]
    assert abs(inside) < 2, "the headings are at the top of the table's place"
    assert wider_than_window(page) == []
    assert findings(page, axe) == []


def made_up_jobs(url: str) -> dict[str, Any]:
    """A page of a list of 12,345 jobs, one with a name that looks like markup."""
    asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    start, limit = int(asked.get("cursor", 0)), int(asked["limit"])
    jobs = [
        {
            "job_id": f"job_{12345 - number:06d}",
            "run_id": None,
            "experiment_name": "<img src=x onerror=alert(1)>",
            "status": "completed",
            "progress": {"epoch": 10, "epochs": 10},
            "metrics": {"val_accuracy": 0.9},
            "params": {},
            "created_at": "2026-01-01T00:00:00Z",
        }
        for number in range(start, start + limit)
    ]
    return {"jobs": jobs, "total_count": 12345, "next_cursor": str(start + limit)}


def test_the_first_view_takes_at_most_ten_requests(scene, stack, browser):
    context = browser.new_context()
    page = context.new_page()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url))
    page.goto(f"{stack.api_url}/console")
    sign_in(page, stack.api_key)
    expect(page.get_by_role("region", name="Models").get_by_role("link", name=scene.digits)).to_be_visible()
    context.close()
    assert len(sent) <= FIRST_VIEW_REQUESTS, sent


def test_while_the_api_is_down_every_view_says_so_and_goes_on_when_it_is_back(open_console, scene, axe):
    page = open_console("operations")
    for view in VIEWS:
        page.route(API, lambda it: it.abort())
        page.evaluate("view => { location.hash = `#/${view}`; }", view)
        expect(page.locator("main").get_by_role("alert")).to_contain_text("The API does not answer")
        expect(page.get_by_text("Not loaded yet").first).to_be_visible()
        expect(page.locator(".skeleton")).to_have_count(0)
        check(page, axe, view)
        page.unroute_all()
        page.get_by_role("button", name="Load again").first.click()
        expect(page.locator("main .skeleton, main .empty button")).to_have_count(0)
        expect(page.get_by_role("alert")).to_be_hidden()


def test_while_the_api_refuses_with_429_every_view_says_so(open_console, scene, axe):
    page = open_console("operations")
    throttled = {"title": "Too many requests", "detail": "This key has made too many requests", "status": 429}
    page.route(API, lambda route: route.fulfill(status=429, json=throttled, headers={"retry-after": "1"}))
    for view in VIEWS:
        page.evaluate("view => { location.hash = `#/${view}`; }", view)
        expect(page.locator("main").get_by_role("alert")).to_contain_text(
            "too many requests. It is asked again by itself"
        )
        expect(page.get_by_role("button", name="Load again").first).to_be_visible()
        check(page, axe, view)


def test_one_429_stops_no_view(open_console, scene):
    page = open_console("operations")
    answered: Counter[str] = Counter()
    throttled = {"title": "Too many requests", "detail": "This key has made too many requests", "status": 429}

    def once(route: Any) -> None:
        path = urlsplit(route.request.url).path
        answered[path] += 1
        if answered[path] == 1 and len(answered) <= 2:  # of the second kind of request too
            route.fulfill(status=429, json=throttled, headers={"retry-after": "1"})
        else:
            route.continue_()

    shown = {
        "start": page.get_by_role("region", name="Models").get_by_role("link", name=scene.digits),
        "predict": page.get_by_role("application"),
        "jobs": page.locator("tbody tr").first,
        "runs": page.get_by_role("button", name="champion", exact=True),
        "models": page.get_by_role("region", name="Production", exact=True).locator(".version"),
        "watching": page.get_by_role("region", name="Labels and live performance"),
        "operations": page.get_by_role("region", name="Jobs by state"),
    }
    page.route(re.compile("/(train|models|experiments|ready|drift|performance)"), once)
    for view, address in addresses(scene).items():
        if view not in shown:
            continue
        answered.clear()
        page.evaluate("address => { location.hash = `#/${address}`; }", address)
        expect(page.get_by_role("alert")).to_contain_text("too many requests")
        expect(shown[view]).to_be_visible()
        expect(page.get_by_role("alert")).to_be_hidden()
