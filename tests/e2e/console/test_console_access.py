"""Keys, addresses and the keyboard: who may see what, links that lead nowhere, and no mouse."""

import json
import os
import re
import subprocess
import sys
from typing import get_args

import pytest

from infra.local.settings import ROOT
from mlops.domain.access import RANK, Role
from tests.support.console import findings, go, sign_in, wider_than_window

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
CLIENT = ROOT / "client"


def test_a_wrong_key_is_refused_and_a_right_one_is_gone_with_the_tab(open_console, stack):
    page = open_console(key=None)
    sign_in(page, "wrong")
    expect(page.get_by_role("alert")).to_contain_text("This key is not known")
    sign_in(page, stack.api_key)
    page.wait_for_selector(".frame")
    assert stack.api_key not in json.dumps(page.context.storage_state())
    another = page.context.new_page()
    another.goto(f"{stack.api_url}/console")
    expect(another.get_by_label("API key")).to_be_visible()


def test_a_key_that_may_only_predict_predicts_and_is_offered_nothing_else(open_console, key_of, scene, axe):
    page = open_console("start", key_of("predict", scene.table, scene.digits))
    navigation = page.get_by_role("navigation", name="Views")
    expect(navigation.get_by_role("link")).to_have_text(["Predict"])
    page.get_by_label("Model").select_option(scene.table)
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.get_by_test_id("says-Production")).to_have_text(re.compile("yes|no"))
    assert findings(page, axe) == []
    go(page, "jobs")
    expect(page.locator("main")).to_contain_text("This view needs a key with the role read, feedback, train, approve")
    assert wider_than_window(page) == []


def test_a_key_for_names_that_begin_alike_is_asked_for_the_model(open_console, key_of, scene):
    page = open_console("predict", key_of("predict", f"{scene.table[:-2]}*"))
    page.get_by_label("Model").fill(scene.table)
    page.get_by_label("Model").press("Enter")
    expect(page.get_by_label("income", exact=True)).to_be_visible()


def test_a_key_that_may_only_read_sees_everything_and_is_told_why_it_changes_nothing(open_console, key_of, scene):
    page = open_console("jobs", key_of("read"))
    expect(page.locator("tbody tr").first).to_be_visible()
    expect(
        page.get_by_text("To start or cancel a run needs a key with the role train, approve or admin")
    ).to_be_visible()
    expect(page.get_by_role("button", name="New run")).to_have_count(0)
    go(page, f"models?model={scene.digits}")
    expect(page.get_by_role("region", name="Production", exact=True).locator(".version")).to_be_visible()
    expect(page.get_by_text("To move a version needs a key with the role train")).to_be_visible()
    changing = re.compile("^(Move|Archive|Roll|Pause|Abort|Complete|Approve|Reject)")
    expect(page.get_by_role("button", name=changing)).to_have_count(0)
    go(page, f"models?model={scene.waiting}")
    expect(page.get_by_role("button", name=changing)).to_have_count(0)


def test_a_key_for_other_models_stays_signed_in_and_reads_not_found(open_console, key_of, scene):
    page = open_console(f"models?model={scene.digits}", key_of("train", "nobody-has-this*"))
    expect(page.get_by_text(f"There is no model {scene.digits}")).to_be_visible()
    expect(page.get_by_role("navigation", name="Views")).to_be_visible()


@pytest.mark.parametrize(
    ("address", "said"),
    [
        ("nowhere", "There is no such view"),
        ("models?model=nobody", "There is no model nobody"),
        ("predict?model=nobody", "There is no model nobody"),
        ("watching?model=nobody", "There is no model nobody"),
        ("runs?experiment=nobody", "There is no experiment nobody"),
        ("jobs?job=job_999999", "There is no job job_999999"),
    ],
)
def test_an_address_of_what_does_not_exist_says_not_found(open_console, scene, axe, address, said):
    page = open_console("operations")
    go(page, address)
    expect(page.locator("main")).to_contain_text(said)
    assert findings(page, axe) == []


def test_links_with_the_former_names_of_views_still_lead_there(open_console, scene):
    page = open_console(f"draw?model={scene.digits}")
    expect(page.get_by_role("application")).to_be_visible()
    for former, title in (("drift", "Watching"), ("health", "Operations")):
        page.evaluate("view => { location.hash = `#/${view}`; }", former)
        expect(page.get_by_role("heading", name=title, level=1)).to_be_visible()


def test_a_choice_is_in_the_address_and_the_same_link_again_shows_what_is_usual(open_console, scene):
    page = open_console("models")
    page.get_by_label("Model").select_option(scene.table)
    expect(page).to_have_url(re.compile(f"#/models\\?model={scene.table}$"))
    page.get_by_role("navigation", name="Views").get_by_role("link", name="Models").click()
    expect(page).to_have_url(re.compile("#/models$"))
    expect(page.get_by_label("Model")).not_to_have_value(scene.table)


def test_the_whole_frame_is_reached_with_the_tab_key(open_console, scene):
    page = open_console("jobs")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.reload()
    expect(page.locator("tbody tr").first).to_be_visible()
    seen = set()
    for _ in range(18):
        page.keyboard.press("Tab")
        seen.add(page.evaluate("document.activeElement.textContent.trim()"))
    assert {"Skip to the content", "Start", "Predict", "Models", "Operations", "Sign out", "New run"} <= seen


def test_without_a_mouse_one_goes_to_a_model_and_back_out_of_a_dialog(open_console, scene):
    page = open_console("jobs")
    expect(page.locator("tbody tr").first).to_be_visible()
    page.keyboard.press("Control+k")
    page.keyboard.type(f"model {scene.table}")
    expect(page.get_by_role("option", name=f"Model {scene.table}")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("Enter")
    lane = page.get_by_role("region", name="Production", exact=True)
    expect(lane.get_by_role("button", name="Version 1", exact=True)).to_be_visible()
    archive = lane.get_by_role("button", name="Archive version 1")
    archive.focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(archive).to_be_focused()


def test_a_web_page_instead_of_an_answer_is_an_error_in_a_sentence(open_console, scene):
    page = open_console("operations")
    page.route("**/train/jobs*", lambda route: route.fulfill(status=200, content_type="text/html", body="<h1>hi</h1>"))
    page.evaluate("location.hash = '#/jobs'")
    expect(page.get_by_role("alert")).to_contain_text("not JSON")


def mlops(stack, key: str, *arguments: str) -> str:
    """What the command line prints for whoever has a key."""
    return subprocess.run(
        [sys.executable, "-m", "mlops_client", *arguments],
        env=os.environ | {"PYTHONPATH": str(CLIENT), "MLOPS_API_URL": stack.api_url, "MLOPS_API_KEY": key},
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()


def test_the_command_line_opens_the_console_signed_in_once(open_console, stack, key_of, scene):
    key = key_of("read", scene.table)
    address = mlops(stack, key, "open", "model", scene.table, "--no-browser", "--sign-in")
    assert (address.startswith(f"{stack.api_url}/console#/models?model={scene.table}&once="), key in address) == (
        True,
        False,
    )
    page = open_console(key=None)
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(f"{sent.url} {sent.post_data or ''}"))
    page.goto("about:blank")
    page.goto(address)
    expect(page.get_by_role("heading", level=1)).to_have_text("Models")
    assert page.evaluate("location.hash") == f"#/models?model={scene.table}"
    expect(page.locator(".row.key")).to_contain_text("read")
    assert stack.api_key not in json.dumps(page.context.storage_state())
    _, pad = address.split("once=")[1].split(".")
    assert [each for each in asked if pad in each or key in each] == [], "half of the key stays in the browser"
    page.reload()
    expect(page.locator(".row.key")).to_contain_text("read")
    again = open_console(key=None)
    again.goto("about:blank")
    again.goto(address)
    expect(again.get_by_role("alert")).to_contain_text("This address was used before, or is older than 60 s")
    expect(again.get_by_label("API key")).to_be_visible()
    assert "once" not in again.evaluate("location.href")
    sign_in(again, key)
    expect(again.get_by_role("heading", level=1)).to_have_text("Models")


def test_a_link_does_not_change_who_works_in_a_tab(open_console, stack, key_of, scene):
    page = open_console("jobs", key_of("read"))
    foreign = mlops(stack, key_of("train"), "console", "--no-browser", "--sign-in").split("#")[1]
    page.evaluate("hash => { location.hash = hash; }", f"#{foreign}")
    expect(page.get_by_role("heading", level=1)).to_have_text("Start")
    assert page.evaluate("location.hash") == "#/"
    expect(page.locator(".row.key")).to_contain_text("read")


BEGIN = (
    ("start", "To start a run"),
    ("predict", "To start one"),
    ("data", "To start one"),
    ("runs", "To start one"),
    ("watching", "To start one"),
)
"""Views with what they offer where there is nothing yet."""


@pytest.mark.parametrize("role", get_args(Role))
def test_where_there_is_nothing_yet_each_role_is_told_how_to_begin_or_who_may(open_console, key_of, scene, axe, role):
    page = open_console("start", key_of(role, "nobody-has-this*"))
    main = page.locator("main")
    train = main.get_by_role("button", name="Train", exact=True)
    jobs = main.get_by_role("link", name="Start one under Jobs")
    for view, deed in BEGIN:
        go(page, view)
        if RANK[role] < RANK["read"]:
            first = view in ("start", "predict")
            expect(main).to_contain_text("Which model?" if first else "This view needs a key with the role read")
            offered = None
        elif RANK[role] < RANK["train"]:
            expect(main).to_contain_text(f"{deed} needs a key with the role train, approve or admin; yours, console-")
            offered = None
        else:
            offered = train if view == "start" else jobs
            expect(offered).to_be_visible()
            expect(main).not_to_contain_text("needs a key with the role")
        for each in (train, jobs):
            if each is not offered:
                expect(each).to_have_count(0)
        assert findings(page, axe) == [], view


@pytest.mark.parametrize("role", get_args(Role))
def test_where_there_are_models_each_role_is_offered_what_it_may_do(open_console, key_of, scene, role):
    page = open_console("predict", key_of(role, scene.table, scene.digits))
    main = page.locator("main")
    page.get_by_label("Model").select_option(scene.table)
    ask = main.get_by_role("button", name="Predict", exact=True)
    expect(ask).to_be_enabled()
    ask.click()
    expect(page.get_by_test_id("says-Production")).to_have_text(re.compile("yes|no"))
    shown = (
        ("start", main.get_by_role("region", name="Table of models").get_by_role("link", name=scene.table)),
        ("data", main.get_by_role("region", name="Table of data sets").get_by_role("link", name=scene.table).first),
        (f"watching?model={scene.table}", main.get_by_role("region", name="Columns", exact=True)),
        (f"runs?experiment={scene.digits}", main.get_by_role("button", name="champion")),
    )
    for view, last in shown:
        go(page, view)
        if RANK[role] >= RANK["read"]:
            expect(last.first).to_be_visible()
            expect(main).not_to_contain_text("needs a key with the role")
        elif view != "start":
            expect(main).to_contain_text("This view needs a key with the role read")
    if RANK[role] >= RANK["read"]:
        main.get_by_role("button", name="champion").click()
        notes = main.get_by_role("region", name="Note and tags")
        may_edit = RANK[role] >= RANK["train"]
        expect(notes.get_by_role("button", name=re.compile("a note|the note"))).to_have_count(int(may_edit))
        expect(notes.get_by_text("To change the note or tags needs a key")).to_have_count(int(not may_edit))


def test_start_says_that_a_table_drifts_and_which_column_and_leads_there(open_console, key_of, scene):
    page = open_console("start", key_of("read"))
    need = page.get_by_role("region", name="What needs you").get_by_role("listitem").filter(has_text=scene.table)
    expect(need).to_contain_text(re.compile(f"{scene.table} drifts: (income|job)"))
    expect(need).to_contain_text("alert")
    models = page.get_by_role("region", name="Table of models")
    expect(models.get_by_role("row").filter(has_text=scene.table)).to_contain_text("alert")
    need.get_by_role("link").click()
    expect(page.get_by_role("region", name="Values of income", exact=True)).to_be_visible()
