"""A provider's side of its contracts: what consumers expect is asked of the real app, where the router would ask.

`/<provider>` is stripped from a path, as the router does. Beside the app stands what Pact's verifier
asks for besides: to set up the state that an interaction is given, and for a message. A state is a
function of the provider's tests that makes the whole world of one interaction, by the provider's own
code; a message is one that returns its content.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from contract.consumer import SERVICES
from pact import Verifier
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

HOST = "127.0.0.1"
STATE, MESSAGE = "/given", "/said"
TIMEOUT_MS = 20_000

App = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Provider:
    """A service, how each state is set up, and what each message says."""

    name: str
    states: Mapping[str, Callable[..., object]]
    messages: Mapping[str, Callable[[], object]] = field(default_factory=dict)

    def broken(self, app: App, *contracts: Path) -> dict[str, str]:
        """Return what the app does not do as the contracts expect, and why: nothing if all is well.

        Raises what a state or a message raised.
        """
        found: dict[str, str] = {}
        front = _Front(self, app)
        with _listening(front) as port:
            for contract in contracts:
                found |= _broken(self.name, contract, port)
        if front.failure is not None:
            raise front.failure
        return found


def contracts(provider: str) -> list[Path]:
    """Every contract that a consumer keeps about the provider."""
    return sorted(SERVICES.glob(f"*/contracts/*-{provider}.json"))


def expected(contract: Path) -> set[str]:
    """What the contract expects, by the descriptions of its interactions."""
    kept = json.loads(contract.read_text(encoding="utf-8"))
    return {each["description"] for each in kept["interactions"]}


def _broken(provider: str, contract: Path, port: int) -> dict[str, str]:
    url = f"http://{HOST}:{port}"
    verifier = Verifier(provider, host=HOST).add_transport(url=url).add_source(contract)
    verifier.add_transport(protocol="message", port=port, path=MESSAGE)
    verifier.state_handler(f"{url}{STATE}", body=True).set_request_timeout(TIMEOUT_MS)
    # A service's client takes a redirection for what it is: no answer.
    verifier.follow_redirects(False)
    try:
        verifier.verify()
    except RuntimeError:
        if not verifier.results["errors"]:
            raise
    results = verifier.results["interactionResults"]
    assert {each["description"] for each in results} == expected(contract), "all were asked for"
    failed = (each for each in results if each["result"] != "OK")
    return {each["description"]: json.dumps(each["mismatch"]) for each in failed}


class _Front:
    """The router's part, and the verifier's way to states and messages."""

    def __init__(self, provider: Provider, app: App) -> None:
        self._provider = provider
        self._app = app
        self.failure: Exception | None = None

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Any:
        path = environ["PATH_INFO"]
        prefix = f"/{self._provider.name}"
        if path.startswith(f"{prefix}/"):
            inner = {**environ, "PATH_INFO": path.removeprefix(prefix)}
            return self._app(inner, start_response)
        return self._aside(Request(environ))(environ, start_response)

    def _aside(self, request: Request) -> Response:
        wanted = request.get_json()
        try:
            if request.path == STATE:
                self._provider.states[wanted["state"]](**wanted["params"])
                return Response(status=204)
            said = self._provider.messages[wanted["description"]]()
        except Exception as error:  # noqa: BLE001 - told when all threads are done
            self.failure = self.failure or error
            return Response(status=400)  # after a 5xx the verifier asks again, and again
        return Response(json.dumps(said), content_type="application/json")


class _Quiet(WSGIRequestHandler):
    def log_request(self, *_: object) -> None:
        """Keep the tests' output to the tests."""


@contextmanager
def _listening(app: App) -> Iterator[int]:
    server = make_server(HOST, 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server.port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
