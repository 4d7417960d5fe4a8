"""Hooks for real: commands in the service's folder, and a server that is asked."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from engine.orders import order

from deployer.commands.context import Context
from deployer.commands.hooks import ServiceHooks
from deployer.engine import Hook, Point, begin_rollout
from deployer.errors import OperationError
from deployer.targets import InterruptedWait

ROLLOUT = begin_rollout(order())


class Answering(BaseHTTPRequestHandler):
    """Says what its server was told to, and remembers what it was told."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((self.path, json.loads(body)))  # type: ignore[attr-defined]
        self.server.hold.wait(20)  # type: ignore[attr-defined]
        self.send_response(int(self.path.strip("/")))
        self.end_headers()
        self.wfile.write(b"as you wish")

    def log_message(self, *_: object) -> None:
        """Say nothing on stderr."""


@pytest.fixture
def server() -> Iterator[HTTPServer]:
    opened = HTTPServer(("127.0.0.1", 0), Answering)
    opened.heard, opened.hold = [], threading.Event()  # type: ignore[attr-defined]
    opened.hold.set()  # type: ignore[attr-defined]
    thread = threading.Thread(target=opened.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    yield opened
    opened.hold.set()  # type: ignore[attr-defined]
    opened.shutdown()
    opened.server_close()


@pytest.fixture
def hooks(context: Context) -> ServiceHooks:
    return ServiceHooks(context)


def script(context: Context, text: str) -> None:
    path = context.workspace.folder(ROLLOUT.order.service) / "check"
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def command(*words: str, seconds: float = 20.0) -> Hook:
    return Hook(Point.BEFORE_TRAFFIC, command=words, timeout_seconds=seconds)


def post(server: HTTPServer, status: int, seconds: float = 20.0) -> Hook:
    url = f"http://127.0.0.1:{server.server_address[1]}/{status}"
    return Hook(Point.AFTER_STEP, url=url, timeout_seconds=seconds)


def never() -> bool:
    return False


def test_a_command_runs_in_the_services_folder_and_knows_what_it_is_about(
    hooks: ServiceHooks, context: Context
):
    """Its last words come back, for `why` and for an incident."""
    script(context, 'echo "$DEPLOYER_POINT $DEPLOYER_SERVICE $DEPLOYER_LIVE $DEPLOYER_CANDIDATE"')

    said = hooks.call(command("./check"), ROLLOUT, interrupted=never)

    assert said == ("before-traffic product 1.0.0 1.1.0",)


def test_a_command_that_says_no_fails_with_its_last_words(hooks: ServiceHooks, context: Context):
    """The code, and what it printed."""
    script(context, "echo not warm; exit 3")
    with pytest.raises(OperationError) as refused:
        hooks.call(command("./check"), ROLLOUT, interrupted=never)

    assert refused.value.code == "hook-failed"
    assert refused.value.cause == "the hook ./check (before-traffic) ended with code 3"
    assert refused.value.details == ("not warm",)


def test_a_command_that_takes_too_long_fails(hooks: ServiceHooks, context: Context):
    """Its time is part of its declaration."""
    script(context, "sleep 60")
    with pytest.raises(OperationError) as refused:
        hooks.call(command("./check", seconds=0.2), ROLLOUT, interrupted=never)

    assert "no end after 0.2 s" in refused.value.details[-1]


def test_a_command_that_there_is_not_fails(hooks: ServiceHooks):
    """As a shell would say it."""
    with pytest.raises(OperationError) as refused:
        hooks.call(command("./nothing"), ROLLOUT, interrupted=never)

    assert "No such file" in refused.value.details[-1]


def test_an_abort_does_not_wait_for_a_command(hooks: ServiceHooks, context: Context):
    """It is ended, and the wait given up."""
    script(context, "sleep 60")
    with pytest.raises(InterruptedWait):
        hooks.call(command("./check"), ROLLOUT, interrupted=lambda: True)


def test_a_url_is_told_the_same_as_json(hooks: ServiceHooks, server: HTTPServer):
    """By POST; any 2xx is a yes, and its words come back."""
    said = hooks.call(post(server, 204), ROLLOUT, interrupted=never)
    ((path, facts),) = server.heard  # type: ignore[attr-defined]

    assert (path, said) == ("/204", ())
    assert {key: facts[key] for key in ("point", "service", "candidate", "live", "weight")} == {
        "point": "after-step",
        "service": "product",
        "candidate": "1.1.0",
        "live": "1.0.0",
        "weight": "0",
    }
    assert hooks.call(post(server, 200), ROLLOUT, interrupted=never) == ("as you wish",)


@pytest.mark.parametrize("status", [302, 404, 503])
def test_a_url_that_says_no_fails(hooks: ServiceHooks, server: HTTPServer, status: int):
    """Whatever is no 2xx."""
    with pytest.raises(OperationError, match=f"answered {status}"):
        hooks.call(post(server, status), ROLLOUT, interrupted=never)


def test_a_url_that_nobody_answers_fails(hooks: ServiceHooks):
    """Nobody listens on the discard port."""
    hook = Hook(Point.AFTER_STEP, url="http://127.0.0.1:9/", timeout_seconds=2)
    with pytest.raises(OperationError, match="did not answer"):
        hooks.call(hook, ROLLOUT, interrupted=never)


def test_an_abort_does_not_wait_for_an_answer(hooks: ServiceHooks, server: HTTPServer):
    """The call is left to itself."""
    server.hold.clear()  # type: ignore[attr-defined]
    with pytest.raises(InterruptedWait):
        hooks.call(
            post(server, 200),
            ROLLOUT,
            interrupted=lambda: bool(server.heard),  # type: ignore[attr-defined]
        )
