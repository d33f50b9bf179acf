"""Which LocalStack a stack is on: its own, or one that is up; and what is refused before anything starts."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from infra.local import engines, folder
from infra.local.credentials import Credentials
from infra.local.environment import ensure_credentials, read_env
from infra.local.errors import LocalStackError
from infra.local.localstack.engine import Engine
from infra.local.localstack.environment import ABOUT, HEALTH
from infra.local.settings import Settings
from infra.local.stack import Stack
from tests.support.steps import free_ports

PLAIN: dict[str, Any] = {HEALTH: {"services": {}, "version": "4.14.0"}}
WITH_PLUG_INS = {**PLAIN, ABOUT: {"api_port": 8123}}


@contextmanager
def answering(answers: dict[str, Any]) -> Iterator[str]:
    """A server that answers these paths, and 404 to others, as LocalStack does below /_localstack; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            content = json.dumps(answers.get(self.path)).encode()
            self.send_response(200 if self.path in answers else 404)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    api, tracking, aws = free_ports(3)
    return Settings(api, tracking, aws, home=tmp_path / "home", emulator="localstack")


def named(address: str) -> dict[str, str]:
    return {"AWS_ENDPOINT_URL": address}


def test_without_an_address_a_stack_starts_its_own(settings: Settings) -> None:
    assert engines.chosen(settings, {}) == settings


def test_a_localstack_with_the_plug_ins_is_used(settings: Settings) -> None:
    with answering(WITH_PLUG_INS) as address:
        found = engines.chosen(settings, named(address.replace("127.0.0.1", "localhost") + "/"))
    port = int(address.rpartition(":")[2])
    assert found == replace(settings, engine=address, aws_port=port, api_port=8123)
    assert found.aws_url == address


def test_a_plain_localstack_is_refused_with_a_remedy(settings: Settings) -> None:
    with (
        answering(PLAIN) as address,
        pytest.raises(LocalStackError, match=r"has not the platform's plug-ins.*`make engine`"),
    ):
        engines.chosen(settings, named(address))


def test_where_nothing_answers_is_said(settings: Settings) -> None:
    (port,) = free_ports(1)
    with pytest.raises(LocalStackError, match=f"no LocalStack answers at AWS_ENDPOINT_URL=http://localhost:{port}: "):
        engines.chosen(settings, named(f"http://localhost:{port}"))


@pytest.mark.parametrize("address", ["http://localstack.example:4566", "https://localhost:4566", "localhost:4566"])
def test_an_address_of_another_machine_is_refused(settings: Settings, address: str) -> None:
    with pytest.raises(LocalStackError, match="no address of this machine"):
        engines.chosen(settings, named(address))


def test_the_variables_of_a_stack_that_was_stopped_start_it_again(settings: Settings) -> None:
    assert engines.chosen(settings, named(settings.aws_url)) == settings


def test_ministack_does_not_look_at_the_address(settings: Settings) -> None:
    assert engines.chosen(replace(settings, emulator="ministack"), named("http://elsewhere:1")).engine == ""


@pytest.fixture
def on_engine(settings: Settings) -> Iterator[Settings]:
    """A stack whose folder says that it is on a LocalStack which answers."""
    with answering(WITH_PLUG_INS) as address:
        found = engines.chosen(settings, named(address))
        folder.prepare(found)
        engines.record(found)
        yield found


def test_a_stack_stays_on_the_localstack_that_it_was_made_on(settings: Settings, on_engine: Settings) -> None:
    """Other commands have no address, and a shell may have that of another one."""
    assert engines.recorded(settings) == on_engine
    assert engines.chosen(settings, {}) == on_engine
    assert engines.chosen(settings, named(on_engine.engine)) == on_engine
    with pytest.raises(LocalStackError, match=f"is on the LocalStack at {on_engine.engine}.*make reset AWS=localstack"):
        engines.chosen(settings, named("http://localhost:1"))


def test_a_stack_neither_starts_nor_stops_it(on_engine: Settings) -> None:
    engine = Engine(on_engine.engine)
    engine.refuse_taken_ports()
    assert engine.launch() is None
    assert engine.stop() is False
    assert engine.healthy()


def test_one_that_has_ended_is_said_with_both_remedies() -> None:
    (port,) = free_ports(1)
    with pytest.raises(LocalStackError, match=r"does not answer: start it again .*make engine.*make reset"):
        Engine(f"http://127.0.0.1:{port}").launch()


def test_a_stack_whose_localstack_has_ended_can_be_removed(settings: Settings) -> None:
    """A LocalStack that has ended has kept nothing, so only the folder is left to remove."""
    with answering(WITH_PLUG_INS) as address:
        found = engines.chosen(settings, named(address))
    folder.prepare(found)
    engines.record(found)
    assert Stack(engines.recorded(settings), say=lambda text: None).reset() is True
    assert not settings.home.exists()
    assert engines.recorded(settings) == settings


def test_its_key_comes_from_the_shell_and_stays(on_engine: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    with pytest.raises(LocalStackError, match="AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY are not those of"):
        ensure_credentials(on_engine)
    key = Credentials.generate()
    for name, value in key.to_environment().items():
        monkeypatch.setenv(name, value)
    ensure_credentials(on_engine)
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    ensure_credentials(on_engine)
    assert Credentials.from_environment(read_env(on_engine.env_file)) == key
