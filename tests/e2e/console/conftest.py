"""The console in a real headless Chromium, against the stack of the session and what was made in it."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from infra.local import deploy
from mlops.registry.rest import Tracking
from tests.e2e.browser import find_axe, find_chromium
from tests.support.console import PATIENCE, REFUSALS, sign_in
from tests.support.console_scene import Scene, make_many, make_scene
from tests.support.keys import make_key
from tools.screenshots.browser import FLAGS


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    playwright.expect.set_options(timeout=PATIENCE)
    path = find_chromium()
    with playwright.sync_playwright() as started:
        launched = started.chromium.launch(executable_path=path, args=FLAGS)
        yield launched
        launched.close()


@pytest.fixture(scope="session")
def axe() -> str:
    return find_axe()


@pytest.fixture(scope="session")
def scene(api: Any, aws_client: Any, outputs: dict[str, str], held_out: Any) -> Scene:
    """What the tests of the console look at, and do not change."""
    return make_scene(api, aws_client("s3"), outputs["ArtifactBucketName"], held_out[0], uuid.uuid4().hex[:6])


@pytest.fixture(scope="session")
def key_of(stack: Any, scene: Scene) -> Callable[..., str]:
    """Makes keys, each once: `key_of("read")`; with models, it is for these only."""
    made: dict[tuple[str, ...], str] = {}

    def key(role: str, *models: str) -> str:
        wanted = (role, *models)
        if wanted not in made:
            name = f"console-{role}-{len(made)}-{scene.digits[-6:]}"
            made[wanted] = make_key(stack.env, name, role, owner=name, models=models)
        return made[wanted]

    return key


@pytest.fixture(scope="session")
def many(api: Any, stack: Any) -> str:
    """A model and experiment with 200 versions besides the one in Production, and 1,000 jobs besides its own."""
    name = f"many-{uuid.uuid4().hex[:6]}"
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in stack.env.items():
            patch.setenv(variable, value)
        make_many(
            api, Tracking(stack.env["MLFLOW_TRACKING_URI"], 20), deploy.physical_ids(stack.settings)["JobsTable"], name
        )
    return name


@pytest.fixture
def open_console(browser: Any, stack: Any) -> Iterator[Callable[..., Any]]:
    """Opens the console, signed in unless `key` is None; at the end nothing was wrong, and no request left."""
    contexts, complaints, strangers = [], [], []

    def opened(view: str = "jobs", key: str | None = stack.api_key, width: int = 1280, **options: Any) -> Any:
        context = browser.new_context(viewport={"width": width, "height": 900}, **options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(PATIENCE)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "console",
            lambda said: (
                complaints.append(said.text)
                if said.type in ("error", "warning") and not REFUSALS.search(said.text)
                else None
            ),
        )
        page.on(
            "request",
            lambda sent: None if sent.url.startswith((stack.api_url, "data:")) else strangers.append(sent.url),
        )
        page.goto(f"{stack.api_url}/console#/{view}")
        if key is not None:
            sign_in(page, key)
            page.wait_for_selector(".frame")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []
    assert strangers == []
