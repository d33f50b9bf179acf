"""Models in the browser: promoting, approving, rolling out, and models with many versions."""

import re
import uuid
from urllib.parse import urlencode

import pytest

from tests.support.console import findings, go
from tests.support.console_scene import MANY_VERSIONS
from tests.support.steps import promote, train

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


@pytest.fixture(scope="module")
def versions(api) -> tuple[str, int, int]:
    """A model with a version in Production and a registered one."""
    name = f"moved-{uuid.uuid4().hex[:6]}"
    jobs = [train(api, model_name=name, experiment_name=name, epochs=epochs) for epochs in (4, 5)]
    assert [job["status"] for job in jobs] == ["completed"] * 2, jobs
    before, after = (job["model_version"] for job in jobs)
    assert promote(api, before, model=name)["status"] == "succeeded"
    return name, before, after


def test_promoting_on_the_board_archives_the_version_before(open_console, api, versions):
    model, before, after = versions
    page = open_console(f"models?model={model}")
    page.get_by_role("button", name=f"Move version {after} to Production").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("textbox", name="Reason").fill("better in the browser")
    dialog.get_by_label(re.compile("Skip the metric gate")).check()
    dialog.get_by_role("button", name="Promote").click()
    expect(dialog.get_by_text(f"Version {after} is in Production")).to_be_visible()
    dialog.get_by_role("button", name="Close").click()
    production, archived = (page.get_by_role("region", name=name, exact=True) for name in ("Production", "Archived"))
    expect(production.get_by_role("button", name=f"Version {after}", exact=True)).to_be_visible()
    expect(archived.get_by_role("button", name=f"Version {before}", exact=True)).to_be_visible()
    expect(page.get_by_role("region", name="History").get_by_text("better in the browser")).to_be_visible()
    assert api.get(f"/models/{model}")["production_version"] == after

    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_role("dialog").get_by_text(f"Version {before} is in Production")).to_be_visible()
    assert api.get(f"/models/{model}")["production_version"] == before


def test_a_version_stands_beside_the_one_in_production(open_console, api, versions):
    model, before, after = versions
    page = open_console(f"models?model={model}")
    page.get_by_role("button", name=f"Version {after}", exact=True).click()
    opened = page.get_by_role("region", name=f"Version {after}", exact=True)
    expect(opened.get_by_role("heading", name=f"Version {after}")).to_be_focused()
    expect(opened.get_by_role("columnheader", name=f"Version {before}, in Production")).to_be_visible()
    found = {each["version"]: each["metrics"] for each in api.get(f"/models/{model}")["versions"]}
    cells = opened.get_by_role("row", name=re.compile("^accuracy")).get_by_role("cell")
    expect(cells).to_have_text([f"{100 * found[version]['accuracy']:.2f} %" for version in (after, before)])
    page.reload()
    expect(opened).to_be_visible()


def test_a_model_that_cannot_be_served_says_why_and_offers_no_move(open_console, mlflow):
    name = f"größe {uuid.uuid4().hex[:6]}"
    mlflow._post("registered-models/create", {"name": name})
    mlflow._post("model-versions/create", {"name": name, "source": "s3://somewhere/mlflow/m"})
    page = open_console(f"models?{urlencode({'model': name})}")
    expect(page.get_by_role("button", name="Version 1", exact=True)).to_be_visible()
    expect(page.get_by_text("rename the model in MLflow")).to_be_visible()
    expect(page.get_by_role("button", name="Roll back")).to_be_disabled()
    expect(page.get_by_role("button", name=re.compile("Move version|Archive version"))).to_have_count(0)


def test_all_lanes_are_right_with_two_hundred_versions(open_console, mlflow, many, axe):
    page = open_console(f"models?model={many}")
    registered, production = (
        page.get_by_role("region", name=stage, exact=True) for stage in ("Registered", "Production")
    )
    expect(production.get_by_role("button", name="Version 1", exact=True)).to_be_visible()
    expect(registered.locator(".count")).to_have_text(str(MANY_VERSIONS))
    expect(registered.get_by_role("button", name=f"Version {MANY_VERSIONS + 1}", exact=True)).to_be_visible()
    registered.get_by_role("button", name=f"Show more of {MANY_VERSIONS}").click()
    expect(registered.locator(".version")).to_have_count(62)
    for width in (390, 768, 1024):
        page.set_viewport_size({"width": width, "height": 900})
        top = page.locator(".board").bounding_box()["y"]
        assert production.bounding_box()["y"] - top < 900, (width, "the lanes stay near each other")
        assert findings(page, axe) == [], width
    # What is added meanwhile comes by itself.
    version = {
        "name": many,
        "version": mlflow._post("model-versions/create", {"name": many, "source": "s3://a/m"})["model_version"][
            "version"
        ],
    }
    expect(registered.locator(".count")).to_have_text(str(MANY_VERSIONS + 1))
    mlflow._call("DELETE", "model-versions/delete", body=version)


def test_a_rollout_shows_its_guardrails_and_is_paused_and_resumed(open_console, api, scene):
    page = open_console(f"models?model={scene.digits}")
    card = page.get_by_role("region", name=re.compile("^Rollout of version"))
    expect(card).to_contain_text("In the shadow")
    guardrails = card.get_by_role("region", name="Table of guardrails")
    expect(guardrails.get_by_role("row", name=re.compile("^max disagreement"))).to_be_visible()
    rollout = api.get(f"/models/{scene.digits}/rollouts/{scene.rollout_id}")
    phases = card.get_by_role("region", name="Table of phases").get_by_role("row", name=re.compile("^In the shadow"))
    expect(phases.get_by_role("cell").first).to_have_text(str(rollout["phases"][0]["requests"]))
    card.get_by_role("button", name="Pause").click()
    expect(card.get_by_text("paused", exact=True)).to_be_visible()
    assert api.get(f"/models/{scene.digits}/rollouts/{scene.rollout_id}")["status"] == "paused"
    card.get_by_role("button", name="Resume").click()
    expect(card.get_by_role("button", name="Pause")).to_be_visible()
    assert api.get(f"/models/{scene.digits}/rollouts/{scene.rollout_id}")["status"] == "running"


def test_a_version_is_rolled_out_and_the_rollout_ended_from_the_board(open_console, api, versions):
    model, _, after = versions
    assert promote(api, after, "Staging", model)["status"] == "succeeded"
    page = open_console(f"models?model={model}")
    page.get_by_role("button", name="Roll out").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Steps").fill("five percent")
    dialog.get_by_role("button", name="Start").click()
    expect(dialog.get_by_role("alert")).to_contain_text("such as 5:30")
    dialog.get_by_label("Steps").fill("5:30 25:60")
    dialog.get_by_role("button", name="Start").click()
    card = page.get_by_role("region", name=f"Rollout of version {after}", exact=True)
    expect(card.get_by_role("button", name="Abort")).to_be_visible()
    (started,) = api.get(f"/models/{model}/rollouts")["rollouts"]
    assert [(step["weight"], step["minutes"]) for step in started["plan"]["steps"]] == [(5, 30), (25, 60)]
    card.get_by_role("button", name="Abort").click()
    expect(card.get_by_text("aborted", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Roll out")).to_be_visible()


def test_who_has_asked_is_told_why_not_and_another_owner_approves(open_console, api, key_of, scene):
    page = open_console("start")
    needs = page.get_by_role("region", name="What needs you")
    needs.get_by_role("link", name=f"{scene.waiting}: a version waits for approval").click()
    card = page.get_by_role("region", name=re.compile("waits for approval to Production"))
    expect(card).to_contain_text("You have asked for it")
    expect(card).to_contain_text("it looks better")
    expect(card.get_by_role("button", name="Approve")).to_have_count(0)
    other = open_console(f"models?model={scene.waiting}", key_of("approve"))
    card = other.get_by_role("region", name=re.compile("waits for approval to Production"))
    card.get_by_label("Comment").fill("the figures are fine")
    card.get_by_role("button", name="Reject").click()
    expect(card).to_be_hidden()
    expect(other.get_by_role("region", name="History").get_by_text("rejected", exact=True)).to_be_visible()
    # Asked for again, it is approved, and serves.
    version = api.get(f"/models/{scene.waiting}")["versions"][0]["version"]
    assert promote(api, version, model=scene.waiting)["status"] == "awaiting_approval"
    card.get_by_role("button", name="Approve").click()
    production = other.get_by_role("region", name="Production", exact=True)
    expect(production.get_by_role("button", name=f"Version {version}", exact=True)).to_be_visible()
    go(other, "start")
    expect(other.get_by_role("link", name=f"{scene.waiting}: a version waits for approval")).to_have_count(0)


def test_what_is_in_the_bin_is_listed_and_restored(open_console, api, mlflow, axe):
    model, after = f"binned-{uuid.uuid4().hex[:6]}", 1
    mlflow._post("registered-models/create", {"name": model})
    mlflow._post("model-versions/create", {"name": model, "source": "s3://somewhere/mlflow/m"})
    assert api.send("DELETE", f"/models/{model}/versions/{after}?reason=by%20mistake").status == 200
    page = open_console(f"models?model={model}")
    row = page.get_by_role("row", name=re.compile(f"^Version {after} of {model}"))
    expect(row).to_contain_text("by mistake")
    (entry,) = [each for each in api.get("/bin?limit=200")["entries"] if each["name"] == model]
    expect(row).to_contain_text(entry["until"][:16].replace("T", " "))
    expect(page.get_by_role("button", name=f"Version {after}", exact=True)).to_have_count(0)
    assert findings(page, axe) == []
    row.get_by_role("button", name="Restore").click()
    expect(row).to_have_count(0)
    expect(page.get_by_role("button", name=f"Version {after}", exact=True)).to_be_visible()
    assert not [each for each in api.get("/bin?limit=200")["entries"] if each["name"] == model]
