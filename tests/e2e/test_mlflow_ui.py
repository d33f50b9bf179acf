"""MLflow's own UI marks who is where after every move: in the answers that its page reads, and on the page itself."""

import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
import urllib3

from infra.local.environment import addresses
from mlops.domain.stages import MLFLOW_STAGES, Stage
from tests.e2e.browser import find_chromium
from tests.integration.registry_world import make_world
from tests.support.steps import promote, train
from tools.screenshots.browser import FLAGS

PATIENCE = 60_000

Marks = dict[int, tuple[str, list[str]]]
"""Version → its tag `stage` and its aliases."""


@pytest.fixture(params=["answers", "page"])
def shows(request: Any, stack: Any) -> Iterator[Callable[[str, Marks], None]]:
    """Asserts that MLflow shows a model's versions marked so; the page needs a browser, the answers do not."""
    uri = stack.env["MLFLOW_TRACKING_URI"]
    if request.param == "answers":
        yield partial(answers_show, uri)
        return
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = find_chromium()
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=path, args=FLAGS)
        yield partial(page_shows, uri, browser, playwright.expect)
        browser.close()


def answers_show(uri: str, model: str, marks: Marks) -> None:
    """What MLflow's model page asks for, and MLflow's own stage beside it."""

    def ask(what: str, **fields: str) -> Any:
        answer = urllib3.request("GET", f"{uri}/ajax-api/2.0/mlflow/{what}", fields=fields, retries=False)
        assert answer.status == 200, answer.data
        return answer.json()

    versions = ask("model-versions/search", filter=f"name='{model}'", max_results="25")["model_versions"]
    aliases = ask("registered-models/get", name=model)["registered_model"].get("aliases", [])
    found = {
        int(version["version"]): (
            next(tag["value"] for tag in version["tags"] if tag["key"] == "stage"),
            [alias["alias"] for alias in aliases if alias["version"] == version["version"]],
        )
        for version in versions
    }
    assert found == marks
    mirrored = {int(version["version"]): version["current_stage"] for version in versions}
    assert mirrored == {number: MLFLOW_STAGES[Stage(stage)] for number, (stage, _aliases) in marks.items()}


def page_shows(uri: str, browser: Any, expect: Any, model: str, marks: Marks) -> None:
    """The table of versions on MLflow's page of the model, opened anew."""
    page = browser.new_page()
    page.set_default_timeout(PATIENCE)
    page.goto(f"{uri}/#/models/{model}")
    links = page.get_by_role("link", name=re.compile(r"^Version \d+$"))
    expect(links).to_have_count(len(marks), timeout=PATIENCE)
    for number, (stage, aliases) in marks.items():
        link = page.get_by_role("link", name=f"Version {number}", exact=True)
        badges = page.get_by_role("row").filter(has=link).get_by_role("status")
        expect(badges.filter(has_text=re.compile("^stage"))).to_have_text([f"stage: {stage}"])
        expect(badges.filter(has_text="@")).to_have_text([f"@ {alias}" for alias in aliases])
    page.close()


@pytest.mark.slow
def test_mlflow_shows_the_right_alias_and_tag_after_each_move(api, stack, monkeypatch, request, shows):
    world = make_world(stack, monkeypatch, f"shown-by-{request.node.callspec.id}")
    first, second, third = (world.version() for _ in range(3))

    def moved(version: int, stage: str) -> None:
        assert promote(api, version, stage, world.model)["status"] == "succeeded"

    moved(third, "Staging")
    moved(first, "Production")
    staging = {third: ("Staging", ["staging"])}
    shows(world.model, {first: ("Production", ["production"]), second: ("Registered", []), **staging})

    moved(second, "Production")
    shows(world.model, {first: ("Archived", []), second: ("Production", ["production"]), **staging})

    back = api.post(f"/models/{world.model}/rollback?wait=20", {"reason": "worse on Mondays"})
    assert (back["status"], back["version"]) == ("succeeded", first)
    shows(world.model, {first: ("Production", ["production"]), second: ("Archived", []), **staging})


@pytest.mark.slow
def test_the_address_that_the_demo_prints_leads_to_runs_and_not_to_an_empty_page(api, stack, production_model):
    """MLflow 3 opens experiments on its page for generative AI, unless it is told otherwise."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    name = api.get("/experiments?limit=1")["experiments"][0]["name"]
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(PATIENCE)
        found = api.get(f"/experiments/{name}?limit=1")
        page.goto(addresses(stack.env, found["experiment_id"])["MLflow"])
        run = page.get_by_role("link", name=found["runs"][0]["run_name"])
        playwright.expect(run.first).to_be_visible(timeout=PATIENCE)
        browser.close()


@pytest.mark.slow
def test_a_runs_page_says_who_what_and_how_good_and_shows_its_pictures(api, stack, mlflow):
    """All that people log by hand is there, on the pages that MLflow has for it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    expect = playwright.expect
    job = train(api, model_name="on-its-page", experiment_name="on-its-page", epochs=2)
    me = api.get("/me")["name"]
    found = api.get("/experiments/on-its-page?limit=1")
    uri, number, run_id = stack.env["MLFLOW_TRACKING_URI"], found["experiment_id"], job["run_id"]
    tags = mlflow.run(run_id)["tags"]
    assert tags["mlflow.user"] == me
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=find_chromium(), args=FLAGS)
        page = browser.new_page(viewport={"width": 1600, "height": 1200})
        page.set_default_timeout(PATIENCE)
        place = f"{uri}/#/experiments/{number}"
        page.goto(f"{place}/runs/{run_id}")
        main = page.locator("main")
        expect(main.get_by_role("heading", name="on-its-page").first).to_be_visible(timeout=PATIENCE)
        expect(main).to_contain_text("A mlp that distinguishes 10 classes")
        expect(main.get_by_text(me, exact=True).first).to_be_visible()
        expect(main.get_by_role("link", name="on-its-page").first).to_be_visible()
        page.goto(f"{place}/runs/{run_id}/model-metrics")
        expect(main.get_by_role("figure").filter(has_text="class/0")).to_be_visible(timeout=PATIENCE)
        page.goto(f"{place}/runs/{run_id}/system-metrics")
        expect(main.get_by_text("cpu_utilization_percentage").first).to_be_visible(timeout=PATIENCE)
        for picture in ("confusion.png", "calibration.png"):
            page.goto(f"{place}/runs/{run_id}/artifacts/{picture}")
            shown = main.locator(f"img[src^='blob:'], img[alt*='{picture}']").first
            expect(shown).to_be_visible(timeout=PATIENCE)
            assert shown.evaluate("picture => picture.naturalWidth") > 100, picture
        page.goto(f"{place}/models?workflowType=machine_learning")
        expect(page.get_by_role("link", name="on-its-page").first).to_be_visible(timeout=PATIENCE)
        page.goto(f"{uri}/#/models/on-its-page/versions/{job['model_version']}")
        expect(main).to_contain_text("held-out rows of digits", timeout=PATIENCE)
        browser.close()
