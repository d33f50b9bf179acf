"""Take pictures of the views of the console, as PNG files."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from PIL import Image
from playwright.sync_api import Page, expect, sync_playwright

from infra.local.demo_table import MODEL as TABLE
from tools.screenshots.browser import FLAGS
from tools.screenshots.scene import EXPERIMENT, MODEL

WIDTH = 1200
MAX_WAIT_MS = 60_000


@dataclass(frozen=True)
class View:
    """A picture: its name, its address in the console, what to do there first, and its height."""

    name: str
    address: str
    prepare: Callable[[Page], None]
    height: int = 760
    dark: bool = False


@contextmanager
def console(path: str, url: str, key: str) -> Iterator[Callable[[View], bytes]]:
    """Open the console at `url` with the Chromium at `path`; yields a function that takes pictures."""
    expect.set_options(timeout=MAX_WAIT_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)

        def picture(view: View) -> bytes:
            context = browser.new_context(
                viewport={"width": WIDTH, "height": view.height}, color_scheme="dark" if view.dark else "light"
            )
            page = context.new_page()
            page.set_default_timeout(MAX_WAIT_MS)
            page.goto(f"{url}/console#/{view.address}")
            page.get_by_label("API key").fill(key)
            page.get_by_role("button", name="Open the console").click()
            view.prepare(page)
            page.evaluate("document.activeElement.blur()")
            page.mouse.move(0, 0)
            page.wait_for_timeout(500)  # until animations have ended
            taken = page.screenshot()
            context.close()
            return small(taken)

        yield picture
        browser.close()


def small(png: bytes) -> bytes:
    """Compress a picture and keep all colours: a palette would lose the few green and red points."""
    out = io.BytesIO()
    with Image.open(io.BytesIO(png)) as image:
        image.convert("RGB").save(out, "PNG", optimize=True)
    return out.getvalue()


def draw_a_seven(page: Page) -> None:
    expect(page.get_by_role("button", name="Digits")).to_have_attribute("aria-pressed", "true")
    box: Any = page.get_by_role("application").bounding_box()
    for points in ([(0.25, 0.15), (0.72, 0.15), (0.42, 0.88)], [(0.32, 0.5), (0.76, 0.5)]):
        places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
        page.mouse.move(*places[0])
        page.mouse.down()
        for place in places[1:]:
            page.mouse.move(*place, steps=10)
        page.mouse.up()
    for stage in ("Production", "Staging"):
        expect(page.get_by_test_id(f"says-{stage}")).to_have_text("7")


def compare_three(page: Page) -> None:
    boxes = page.get_by_role("checkbox")
    expect(boxes.nth(2)).to_be_visible()
    for place in (0, 1, 2):
        boxes.nth(place).check()
    page.get_by_role("button", name="Compare 3").click()
    expect(page.get_by_role("img", name="Accuracy after each epoch")).to_be_visible()


def follow_a_job(page: Page) -> None:
    expect(page.locator("tbody").get_by_text("running").first).to_be_visible()
    page.locator("tbody tr").filter(has_text="running").get_by_role("button").first.click()
    expect(page.get_by_label("Log of the job")).to_contain_text("epoch.done")


def wait_for(name: str) -> Callable[[Page], None]:
    """Return a step that waits until the region of that name has content."""

    def wait(page: Page) -> None:
        expect(page.get_by_role("region", name=name, exact=True)).to_contain_text(re.compile(r"\w{3}.*\d", re.S))

    return wait


def drift_over_time(page: Page) -> None:
    expect(page.get_by_role("img", name="PSI by signal over time")).to_be_visible()


def needs_of_a_table(page: Page) -> None:
    expect(page.get_by_role("region", name="What needs you")).to_contain_text(f"{TABLE} drifts")


VIEWS = (
    View("start", "start", needs_of_a_table, height=620),
    View("draw", f"predict?model={MODEL}", draw_a_seven, height=970),
    View("runs", f"runs?experiment={EXPERIMENT}", compare_three, height=860, dark=True),
    View("models", f"models?model={MODEL}", wait_for("History"), height=720),
    View("drift", f"watching?model={MODEL}", drift_over_time, height=1436),
    View("health", "operations", wait_for("Jobs by state"), height=660),
)
JOBS = View("jobs", "jobs", follow_a_job, height=700, dark=True)
