"""Predict in the browser: a form, a drawing and code by the model's contract."""

import json
import os
import re
import subprocess
import sys
from typing import Any

import pytest

from tests.support.console import PATIENCE, draw, go

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect


def test_a_drawn_seven_is_read_as_a_seven_as_the_contract_says_how_digits_are_framed(open_console, scene):
    page = open_console("jobs")
    asked: list[str] = []
    page.on("request", lambda sent: asked.append(sent.url))
    go(page, f"predict?model={scene.digits}")
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true")
    draw(page, [(0.25, 0.15), (0.72, 0.15), (0.42, 0.88)])
    draw(page, [(0.32, 0.5), (0.76, 0.5)])  # the data set's sevens have a bar
    expect(page.get_by_test_id("says-Production")).to_have_text("7")
    expect(page.get_by_test_id("says-Staging")).to_be_visible()
    assert not [url for url in asked if "/train/" in url], "the frame is not guessed from jobs"
    expect(page.get_by_label("Production's probabilities").get_by_role("listitem")).to_have_count(10)
    page.get_by_role("button", name="Clear").click()
    expect(page.get_by_role("region", name="Production").get_by_text("Draw something.")).to_be_visible()


def test_the_pad_can_be_drawn_on_with_the_keyboard_alone(open_console, scene):
    page = open_console(f"predict?model={scene.digits}")
    page.get_by_role("application").focus()
    for key in [" ", *["ArrowDown"] * 20]:
        page.keyboard.press(key)
    expect(page.get_by_test_id("says-Production")).to_have_text(re.compile(r"^\d$"))
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


def test_a_dropped_picture_is_read_as_ink_on_paper_or_in_the_dark(open_console, scene):
    page = open_console(f"predict?model={scene.digits}")
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true")
    for paper, ink in (("white", "black"), ("black", "white")):
        page.evaluate(DROP, [paper, ink])
        expect(page.get_by_test_id("says-Production")).to_have_text("1")
        page.get_by_role("button", name="Clear").click()
        expect(page.get_by_test_id("says-Production")).to_be_hidden()
    page.get_by_label("Open a picture").set_input_files(
        {"name": "note.txt", "mimeType": "text/plain", "buffer": b"no picture"}
    )
    expect(page.get_by_role("alert")).to_contain_text("note.txt is not a picture")


def test_a_table_has_a_form_by_its_contract_that_says_what_each_column_adds(open_console, api, scene):
    page = open_console(f"predict?model={scene.table}")
    contract = api.get(f"/models/{scene.table}/contract")
    for column in contract["columns"]:
        expect(page.get_by_label(column["name"], exact=True)).to_be_visible()
    expect(page.get_by_label("member", exact=True).get_by_role("option")).to_have_text(["–", "true", "false"])
    page.get_by_label("income", exact=True).fill("9000")
    page.get_by_label("age", exact=True).fill("")
    page.get_by_label("job", exact=True).fill("pilot")
    page.get_by_label("Explain what each column adds").check()
    page.get_by_role("button", name="Predict", exact=True).click()
    row = {**contract["example"]["request"]["row"], "income": 9000, "age": None, "job": "pilot"}
    answer = api.post("/predict?explain=true", {"row": row, "model_name": scene.table})
    expect(page.get_by_test_id("says-Production")).to_have_text(str(answer["prediction"]))
    bars = page.get_by_label("What each column adds, Production").get_by_role("listitem")
    expect(bars).to_have_count(len(answer["explanation"]["parts"]))
    most = max(answer["explanation"]["parts"].items(), key=lambda part: abs(part[1]))
    expect(bars.first).to_contain_text(most[0])
    page.wait_for_timeout(400)  # until they have grown
    widths = bars.locator(".fill").evaluate_all("all => all.map(bar => bar.getBoundingClientRect().width)")
    assert widths == sorted(widths, reverse=True)
    assert widths[0] > 20
    expect(page.get_by_role("region", name="Staging")).to_contain_text("No version is in Staging.")


def test_a_pasted_row_fills_the_form_and_what_is_copied_runs(open_console, api, stack, scene):
    page = open_console(f"predict?model={scene.table}")
    pasted = page.get_by_label("The row as JSON")
    pasted.fill("{income: 1}")
    expect(page.get_by_role("alert")).to_contain_text("This is not JSON")
    expect(page.get_by_role("button", name="Predict", exact=True)).to_be_disabled()
    row = {"income": 30_000.5, "age": 61, "member": True, "job": "the captain's"}
    pasted.fill(json.dumps({"row": row, "model_name": "another"}))
    expect(page.get_by_label("income", exact=True)).to_have_value("30000.5")
    expect(page.get_by_label("member", exact=True)).to_have_value("true")
    expect(page.get_by_label("job", exact=True)).to_have_value("the captain's")
    page.get_by_role("button", name="Predict", exact=True).click()
    expected = api.post("/predict", {"row": row, "model_name": scene.table})["prediction"]
    expect(page.get_by_test_id("says-Production")).to_have_text(str(expected))
    answered = {}
    for language, program in (("curl", ["bash", "-c"]), ("Python", [sys.executable, "-c"])):
        page.get_by_role("button", name=language, exact=True).click()
        code = page.get_by_test_id("code").text_content()
        if language == "Python":
            code = f"{code.replace('Client().predict', 'print(Client().predict')}.prediction)"
        answered[language] = run(program, code, stack)
    assert json.loads(answered["curl"])["prediction"] == expected
    assert answered["Python"].strip() == str(expected)
    page.get_by_role("button", name="Command line", exact=True).click()
    expect(page.get_by_test_id("code")).to_contain_text(f"--model {scene.table}")


def run(program: list[str], code: str, stack: Any) -> str:
    """What the code prints, with the stack's key in its environment."""
    environment = {**os.environ, **{name: stack.env[name] for name in ("MLOPS_API_URL", "MLOPS_API_KEY")}}
    environment["PYTHONPATH"] = os.pathsep.join(("client", "layers/core/python"))
    done = subprocess.run([*program, code], env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_the_api_refuses_is_said_where_the_answer_would_be(open_console, scene):
    page = open_console(f"predict?model={scene.table}")
    page.get_by_label("income", exact=True).fill("a lot")
    page.get_by_role("button", name="Predict", exact=True).click()
    production = page.get_by_role("region", name="Production", exact=True)
    expect(production).to_contain_text("income", timeout=PATIENCE)
    expect(page.get_by_test_id("says-Production")).to_be_hidden()
