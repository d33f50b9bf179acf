"""Steps in the console, and what its tests look for on a page. Pages are Playwright's."""

import re
from typing import Any

from tests.support.console_scene import Scene

PATIENCE = 60_000
"""Milliseconds; the default of 5 s is short where other tests run beside."""
VIEWS = ("start", "predict", "data", "jobs", "runs", "models", "watching", "operations")
WIDTHS = (390, 768, 1024, 1440)
SCHEMES = ("light", "dark")
NARROWEST_CARD = 280
REFUSALS = re.compile(r"Failed to load resource")
"""Chromium's own word for any answer of 400 or more, which a test may be about."""


def sign_in(page: Any, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Open the console").click()


def addresses(scene: Scene) -> dict[str, str]:
    """Each view with something to show."""
    return {
        "start": "start",
        "predict": f"predict?model={scene.digits}",
        "a row": f"predict?model={scene.table}",
        "data": "data",
        "jobs": "jobs",
        "runs": f"runs?experiment={scene.digits}",
        "models": f"models?model={scene.digits}&version=1",
        "watching": f"watching?model={scene.table}",
        "operations": "operations",
    }


def go(page: Any, address: str) -> None:
    """To a view, such as "models?model=a", and until it has something to show."""
    page.evaluate("address => { location.hash = address; }", f"#/{address}")
    page.wait_for_function(LOADED, timeout=PATIENCE)


LOADED = """() => {
  const main = document.querySelector("main");
  return main.querySelector("h1, .empty") !== null && main.querySelector(".skeleton") === null;
}"""


def wider_than_window(page: Any) -> list[str]:
    """What makes the page scroll sideways; at least one entry if it does."""
    found: list[str] = page.evaluate(WIDER)
    return found


def hidden_beside(region: Any) -> int:
    """The pixels of a region that one sees after scrolling sideways only."""
    pixels: int = region.evaluate("place => place.scrollWidth - place.clientWidth")
    return pixels


WIDER = """() => {
  const width = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth <= width) return [];
  const scrolls = (element) => element.closest(".scroll, nav, .logs, [role=listbox]");
  const wide = [...document.querySelectorAll("body *")].filter(
    (element) => element.getBoundingClientRect().right > width + 0.5 && !scrolls(element),
  );
  return ["wider", ...wide.slice(0, 5).map((element) => element.outerHTML.slice(0, 160))];
}"""


def findings(page: Any, axe: str) -> list[str]:
    """All that axe-core finds wrong."""
    page.evaluate(axe)
    found = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
    return [
        f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:160]} {each['nodes'][0]['failureSummary'][:200]}"
        for each in found["violations"]
    ]


def check(page: Any, axe: str, name: str) -> None:
    """In light and dark, at each width: nothing is wider than the window, no card is squeezed, axe finds nothing."""
    for scheme in SCHEMES:
        page.emulate_media(color_scheme=scheme)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 900})
            assert wider_than_window(page) == [], (name, scheme, width)
            cards = page.locator("main .card:not(.tile)").evaluate_all("all => all.map(card => card.clientWidth)")
            assert min(cards, default=NARROWEST_CARD) >= NARROWEST_CARD, (name, scheme, width, cards)
            if width in (WIDTHS[0], WIDTHS[-1]):
                assert findings(page, axe) == [], (name, scheme, width)
    page.set_viewport_size({"width": 1280, "height": 900})


def draw(page: Any, points: list[tuple[float, float]]) -> None:
    """A stroke over the pad, through points in shares of its sides."""
    pad = page.get_by_role("application")
    pad.scroll_into_view_if_needed()
    box = pad.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in points]
    page.mouse.move(*places[0])
    page.mouse.down()
    for place in places[1:]:
        page.mouse.move(*place, steps=10)
    page.mouse.up()


def open_view(page: Any, name: str, address: str) -> None:
    """To a view with data, and until it has what it shows last."""
    go(page, address)
    if name == "watching":
        page.get_by_role("img", name="Values of income").wait_for(timeout=PATIENCE)
    if name == "predict":
        draw(page, [(0.5, 0.1), (0.5, 0.9)])
        page.get_by_test_id("says-Staging").wait_for(timeout=PATIENCE)


def drawn(chart: Any) -> list[str]:
    """The names of the lines, bars and marks that are to be seen in a chart."""
    chart.locator("canvas").wait_for(timeout=PATIENCE)
    names: list[str] = chart.evaluate(DRAWN)
    return names


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
