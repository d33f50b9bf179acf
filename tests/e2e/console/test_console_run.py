"""A run's page and a version's in the browser: where they come from, what people note, pictures, card and files."""

import re
import uuid
from pathlib import Path

import pytest

from tests.support.console import findings, go, wider_than_window

pytestmark = pytest.mark.slow  # a browser, and the models of the scene
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


@pytest.fixture(scope="module")
def champion(api, scene):
    """The run of the digits' first version."""
    (run,) = [each for each in api.get(f"/experiments/{scene.digits}")["runs"] if each["run_name"] == "champion"]
    return api.get(f"/experiments/{scene.digits}/runs/{run['run_id']}")


def address(run) -> str:
    return f"runs?experiment={run['experiment_name']}&run={run['run_id']}"


def test_a_runs_page_has_all_that_mlflow_has_of_it(open_console, api, stack, scene, champion, axe):
    page = open_console(address(champion))
    run = page.get_by_role("region", name="Run", exact=True)
    expect(run.get_by_role("heading", name="Run champion")).to_be_visible()
    job = champion["tags"]["mlops.job_id"]
    expect(run.get_by_role("link", name=job)).to_have_attribute("href", f"#/jobs?job={job}")
    expect(run.get_by_role("link", name=f"{scene.digits} version 1")).to_be_visible()
    digest = champion["datasets"][0]["digest"]
    expect(run.get_by_role("link", name="digits", exact=True)).to_have_attribute("href", f"#/data?search={digest}")
    mlflow = run.get_by_role("link", name="Open the run in MLflow")
    expect(mlflow).to_have_attribute(
        "href",
        f"{stack.env['MLFLOW_TRACKING_URI']}/#/experiments/{champion['experiment_id']}/runs/{champion['run_id']}"
        "?workflowType=machine_learning",
    )
    for name in ("accuracy", "loss", "calibration error"):
        expect(run.get_by_role("term").filter(has_text=re.compile(f"^{name}$"))).to_be_visible()
    run.get_by_text("20 metrics of classes").click()
    expect(run.get_by_role("term").filter(has_text="precision of 7")).to_be_visible()

    run.get_by_text(re.compile(r"^Pictures \(\d\)$")).click()
    pictures = run.locator(".pictures img")
    expect(pictures).to_have_count(len([each for each in champion["artifacts"] if each["path"].endswith(".png")]))
    expect(run.get_by_alt_text("Confusion")).to_be_visible()
    widths = pictures.evaluate_all("all => Promise.all(all.map(each => each.decode().then(() => each.naturalWidth)))")
    assert min(widths) > 100
    run.get_by_text("Model card", exact=True).click()
    expect(run.get_by_role("heading", name="How it was made")).to_be_visible()
    expect(run.get_by_text("SHA-256 of the data:")).to_be_visible()
    for width in (390, 768, 1024, 1440):
        page.set_viewport_size({"width": width, "height": 900})
        assert wider_than_window(page) == [], width
    assert findings(page, axe) == []


def test_a_file_of_a_run_is_downloaded_as_the_bucket_has_it(browser, stack, champion, tmp_path):
    # A page of its own: a file comes from the bucket, the only address besides the API's, and by a click only.
    context = browser.new_context(accept_downloads=True)
    page = context.new_page()
    page.goto(f"{stack.api_url}/console#/{address(champion)}")
    page.get_by_label("API key").fill(stack.api_key)
    page.get_by_role("button", name="Open the console").click()
    button = page.get_by_role("button", name="Download model/model.onnx")
    # The tab becomes the download, which the browser tells the page that opened it.
    with page.expect_download() as downloading:
        button.click()
    saved = Path(tmp_path / "model.onnx")
    downloading.value.save_as(saved)
    assert page.url.startswith(stack.api_url), "the console stays where it is"
    context.close()
    size = {each["path"]: each["size"] for each in champion["artifacts"]}["model/model.onnx"]
    assert saved.stat().st_size == size


def test_a_note_and_tags_are_written_changed_and_removed(open_console, api, mlflow, axe):
    name = f"noted-{uuid.uuid4().hex[:6]}"
    experiment_id = mlflow._post("experiments/create", {"name": name})["experiment_id"]
    run_id = mlflow._post("runs/create", {"experiment_id": experiment_id, "run_name": "noted"})["run"]["info"]["run_id"]
    page = open_console(f"runs?experiment={name}&run={run_id}")
    notes = page.get_by_role("region", name="Run", exact=True).get_by_role("region", name="Note and tags")
    notes.get_by_role("button", name="Write a note").click()
    notes.get_by_label("Note, in Markdown").fill("## Why\n- <b>cleaner</b> data")
    page.keyboard.press("Escape")  # leaves the note, and not the run
    notes.get_by_role("button", name="Write a note").click()
    notes.get_by_label("Note, in Markdown").fill("## Why\n- <b>cleaner</b> data")
    notes.get_by_role("button", name="Save").click()
    expect(notes.get_by_role("heading", name="Why")).to_be_visible()
    expect(notes.get_by_role("listitem").first).to_have_text("<b>cleaner</b> data")
    notes.get_by_label("Name of a tag").fill("mlops.objective")
    notes.get_by_role("button", name="Add the tag").click()
    expect(notes.get_by_role("alert")).to_contain_text("choose another name")
    notes.get_by_label("Name of a tag").fill("reviewed by")
    notes.get_by_label("Value of the tag").fill("bo")
    notes.get_by_role("button", name="Add the tag").click()
    expect(notes.get_by_role("list", name="Tags")).to_have_text(re.compile("reviewed by: bo"))
    tags = mlflow.run(run_id)["tags"]
    assert (tags["reviewed by"], tags["mlflow.note.content"]) == ("bo", "## Why\n- <b>cleaner</b> data")
    assert findings(page, axe) == []
    page.reload()
    notes.get_by_role("button", name="Remove the tag reviewed by").click()
    expect(notes.get_by_text("reviewed by")).to_have_count(0)
    notes.get_by_role("button", name="Edit the note").click()
    notes.get_by_label("Note, in Markdown").fill("")
    notes.get_by_role("button", name="Save").click()
    expect(notes.get_by_role("heading", name="Why")).to_have_count(0)
    expect(notes.get_by_role("button", name="Write a note")).to_be_visible()
    assert not {"reviewed by", "mlflow.note.content"} & mlflow.run(run_id)["tags"].keys()


def test_who_may_only_read_sees_the_note_and_is_told_who_may_change_it(open_console, key_of, scene, champion):
    page = open_console(address(champion), key_of("read"))
    notes = page.get_by_role("region", name="Note and tags")
    expect(notes).to_contain_text("To change the note or tags needs a key with the role train, approve or admin")
    expect(notes.get_by_role("button")).to_have_count(0)
    expect(notes.get_by_role("textbox")).to_have_count(0)


def test_a_versions_lineage_leads_from_its_data_to_its_predictions(open_console, scene, champion):
    page = open_console(f"models?model={scene.digits}&version=1")
    lineage = page.get_by_role("navigation", name="Lineage")
    expect(lineage.get_by_role("link")).to_have_count(4)
    expect(lineage.get_by_role("listitem")).to_have_text(
        [
            "Datadigits",
            f"Job{champion['tags']['mlops.job_id']}",
            "Runchampion",
            f"Version{scene.digits} version 1",
            "Predictionsas watched in Production",
        ]
    )
    lineage.get_by_role("link", name="digits", exact=True).click()
    expect(page.get_by_role("region", name="Table of data sets").locator("tbody tr")).to_have_count(1)
    go(page, f"models?model={scene.digits}&version=1")
    lineage.get_by_role("link", name="champion").click()
    expect(page.get_by_role("region", name="Run", exact=True)).to_contain_text(champion["run_id"])
    page.get_by_role("link", name=f"{scene.digits} version 1").click()
    expect(page.get_by_role("region", name="Version 1", exact=True)).to_be_visible()


def test_a_key_for_the_model_only_sees_what_it_may_of_the_lineage(open_console, key_of, scene):
    page = open_console(f"models?model={scene.waiting}&version=1", key_of("read", scene.waiting))
    lineage = page.get_by_role("navigation", name="Lineage")
    expect(lineage.get_by_role("listitem").first).to_have_text("Datanot known")
    expect(lineage.get_by_role("link")).to_have_count(0)
    expect(page.locator("main").get_by_role("alert")).to_have_count(0)
