"""The console by keyboard alone: what can be reached in each view, and dialogs that keep the focus and give it back."""

import re
from typing import Any

import pytest

from tests.support.console import addresses, go, open_view, sign_in

pytestmark = pytest.mark.slow  # jobs, models or a browser of its own
playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
expect = playwright.expect
MOST_STEPS = 400
"""More than any view has to tab through."""

# What listens to clicks, however it got its listener. Not the charts' library, of which only the cursor is used: what
# it shows is in a table too.
LISTENING = """() => {
  const add = EventTarget.prototype.addEventListener;
  window.clickable = new Set();
  EventTarget.prototype.addEventListener = function (name, ...more) {
    const own = this instanceof Element && !this.closest(".uplot");
    if (own && ["click", "mousedown", "pointerdown"].includes(name)) window.clickable.add(this);
    return add.call(this, name, ...more);
  };
}"""
# Tab goes on from where the focus was: before the first element, which is the body.
BEGIN = """() => {
  window.reached = new Set();
  document.body.tabIndex = -1;
  document.body.focus();
  document.body.removeAttribute("tabindex");
}"""
# The element that has the focus is noted, and described with what is wrong about it; null once the focus has left.
STEP = """() => {
  const at = document.activeElement;
  if (!at || at === document.body) return null;
  window.reached ??= new Set();
  const known = window.reached.has(at);
  window.reached.add(at);
  // A control may be too small to see, within a label that looks like a button.
  const shown = at.classList.contains("unseen") ? at.closest("label") : at;
  const style = getComputedStyle(shown);
  const ring = style.outlineStyle !== "none" && parseFloat(style.outlineWidth) >= 1;
  const { top, bottom, left, right, width, height } = shown.getBoundingClientRect();
  const inside = width > 0 && height > 0 && bottom > 0 && top < innerHeight && right > 0 && left < innerWidth;
  const wrong = [...(ring ? [] : ["no ring"]), ...(inside ? [] : ["out of sight"])];
  return { known, wrong, what: at.outerHTML.slice(0, 160) };
}"""
# What can be used with a mouse on the page, and was not reached by Tab.
UNREACHED = """() => {
  const usual = "a[href], button:not(:disabled), input:not(:disabled), select, textarea, summary, [tabindex='0']";
  const candidates = new Set([...document.querySelectorAll(usual)]);
  for (const element of window.clickable) if (element.isConnected && !element.disabled) candidates.add(element);
  const within = (element) => element.querySelector("input, button, a[href]");
  const seen = (element) => element.checkVisibility({ visibilityProperty: true });
  const wanted = [...candidates].filter((element) => seen(element) && !(element.matches("label") && within(element)));
  return wanted.filter((element) => !window.reached.has(element)).map((element) => element.outerHTML.slice(0, 160));
}"""
# Of what is clicked, all that is neither a button nor a link nor a control of a form.
OWN_CONTROLS = """() => [...window.clickable]
  .filter((element) => element.isConnected)
  .filter((element) => !element.matches("a[href], button, input, select, textarea, summary, label"))
  .map((element) => element.getAttribute("role") ?? element.outerHTML.slice(0, 160))"""


def walk(page: Any) -> list[str]:
    """Tab through the page once, and return what was wrong with the focus on the way."""
    wrong: list[str] = []
    page.evaluate(BEGIN)
    for _ in range(MOST_STEPS):
        page.keyboard.press("Tab")
        step = page.evaluate(STEP)
        if step is None or step["known"]:
            return wrong
        wrong += [f"{each}: {step['what']}" for each in step["wrong"]]
    return [*wrong, f"there is no end after {MOST_STEPS} steps"]


@pytest.mark.parametrize("width", [390, 1280])
def test_tab_reaches_all_that_a_mouse_can_use_and_shows_where_it_is(open_console, stack, scene, width):
    page = open_console(key=None)
    page.add_init_script(f"({LISTENING})()")
    page.reload()
    sign_in(page, stack.api_key)
    page.set_viewport_size({"width": width, "height": 900})
    for name, address in addresses(scene).items():
        open_view(page, name, address)
        if name == "a row":
            expect(page.get_by_role("region", name="Rows of a file")).to_be_visible()
        page.wait_for_timeout(300)
        assert walk(page) == [], name
        assert page.evaluate(UNREACHED) == [], name
        # The pad has keys of its own: test_the_pad_can_be_drawn_on_with_the_keyboard_alone.
        assert set(page.evaluate(OWN_CONTROLS)) <= {"application"}, name


DIALOGS = {
    "New run": ("jobs", "New run"),
    "a move": ("models?model={digits}", re.compile("Move version")),
    "Roll back": ("models?model={digits}", "Roll back"),
    "Roll out": ("models?model={digits}", re.compile("^Roll out")),
    "a job's run again": ("jobs?status=completed", "Run again"),
}
INSIDE = "() => document.querySelector('dialog').contains(document.activeElement)"


@pytest.mark.parametrize("name", DIALOGS)
def test_a_dialog_keeps_the_focus_and_gives_it_back_after_escape(open_console, scene, name):
    address, button = DIALOGS[name]
    page = open_console("start")
    if name == "Roll out":  # while one is under way, no other can begin
        page.route("**/rollouts?*", lambda route: route.fulfill(json={"rollouts": [], "next_cursor": None}))
    go(page, address.format(digits=scene.digits))
    if name == "a job's run again":
        page.locator("tbody button").first.press("Enter")
    opener = page.locator("main").get_by_role("button", name=button).first
    opener.focus()
    page.keyboard.press("Enter")
    keeps_the_focus(page)
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()
    expect(opener).to_be_focused()


def keeps_the_focus(page: Any) -> None:
    """Tab goes through all of the dialog that is open, around, and back."""
    dialog = page.get_by_role("dialog")
    expect(dialog).to_be_visible()
    page.wait_for_function(INSIDE)
    expect(dialog.locator("p.quiet", has_text="are being read")).to_have_count(0)
    wanted = dialog.locator("button:not(:disabled), input, select, textarea").count()
    for key in ("Tab", "Shift+Tab"):
        page.evaluate("() => { window.reached = new Set(); }")
        wrong = []
        for _ in range(2 * wanted):
            page.keyboard.press(key)
            assert page.evaluate(INSIDE), f"{key} leaves the dialog"
            wrong += page.evaluate(STEP)["wrong"]
        assert wrong == []
        assert page.evaluate("() => window.reached.size") == wanted


def test_the_palette_is_used_with_arrows_and_enter_and_gives_the_focus_back(open_console, scene):
    page = open_console("jobs")
    search = page.get_by_label("Search the jobs that are shown")
    search.focus()
    page.keyboard.press("Control+k")
    keeps_the_focus(page)
    page.keyboard.press("Escape")
    expect(search).to_be_focused()
    page.keyboard.press("Control+k")
    expect(page.get_by_role("combobox", name=re.compile("Go to a view"))).to_be_focused()
    page.keyboard.press("ArrowDown")
    chosen = page.get_by_role("dialog").get_by_role("option", selected=True)
    expect(chosen).to_have_text("Predict")
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Predict", level=1)).to_be_visible()


def test_details_open_with_the_focus_and_give_it_back_after_escape(open_console, scene):
    page = open_console("start")
    openers = {
        f"runs?experiment={scene.digits}": ("champion", "Run champion"),
        f"models?model={scene.digits}": ("Version 1", "Version 1"),
    }
    for address, (button, title) in openers.items():
        go(page, address)
        opener = page.get_by_role("button", name=button, exact=True)
        opener.press("Enter")
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_focused()
        page.keyboard.press("Tab")
        page.keyboard.press("Escape")
        expect(page.get_by_role("heading", name=title, exact=True)).to_be_hidden()
        expect(opener).to_be_focused()
    go(page, f"runs?experiment={scene.digits}")
    for name in ("champion", "challenger"):
        page.get_by_label(f"Choose {name}").press("Space")
    page.get_by_role("button", name="Compare 2").press("Enter")
    expect(page.get_by_role("heading", name="Side by side")).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.get_by_role("heading", name="Side by side")).to_be_hidden()
    expect(page.get_by_role("button", name="Compare 2")).to_be_focused()
