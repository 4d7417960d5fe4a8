"""Order and product beside each other, without the deployer: their databases, and a front that stands for the router.

Product is reached through the front, in this process or in one of its own, or it is down: then the front says 502, as a
router does.
"""

from __future__ import annotations

import http.client
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, Self

import jwt
import psycopg
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.wrappers import Request, Response

WSGI = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Quiet(WSGIRequestHandler):
    """Keeps the tests' output to the tests."""

    def log_request(self, *_: object) -> None:
        """Say nothing."""


class Front:
    """Auth's keys, and product below /product. `after_event` is called when product has answered an event.

    With `auth` all that is below /auth is the real one's.
    """

    def __init__(self) -> None:
        self.product: WSGI | None = None
        self.auth: WSGI | None = None
        self.after_event: Callable[[], None] | None = None
        self.events = 0
        self._key = Ed25519PrivateKey.generate()
        self._server = make_server("127.0.0.1", 0, self, threaded=True, request_handler=Quiet)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer, or have product answer."""
        path = environ["PATH_INFO"]
        if self.auth and path.startswith("/auth/"):
            return self.auth({**environ, "PATH_INFO": path.removeprefix("/auth")}, start_response)
        if path == "/auth/api/v1/jwks":
            jwk = OKPAlgorithm.to_jwk(self._key.public_key(), as_dict=True)
            keys = [{**jwk, "kid": "front", "alg": "EdDSA", "use": "sig"}]
            response = Response(json.dumps({"keys": keys}), content_type="application/json")
            return response(environ, start_response)
        product = self.product
        if product is None:
            return Response("Bad Gateway", status=502)(environ, start_response)
        inner = {**environ, "PATH_INFO": path.removeprefix("/product")}
        if not path.endswith("/events"):
            return product(inner, start_response)
        self.events += 1
        answered = Response.from_app(product, inner, buffered=True)
        if self.after_event is not None:
            self.after_event()
        return answered(environ, start_response)

    def token(self, subject: str) -> str:
        """Return a token as auth makes it."""
        now = int(time.time())
        claims = {"sub": subject, "iss": "auth", "aud": "platform", "iat": now, "exp": now + 900}
        return jwt.encode(claims, self._key, "EdDSA", headers={"kid": "front"})

    def close(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Process:
    """An instance of a service as a process of its own, that can be killed and started again on its port."""

    def __init__(self, service: str, log: Path, **environment: object) -> None:
        self.port, self.admin_port = free_ports()
        self._service = service
        self._log = log
        inherited = {name: value for name, value in os.environ.items() if "PLATFORM_" not in name}
        ours = {
            "PLATFORM_PORT": self.port,
            "PLATFORM_ADMIN_PORT": self.admin_port,
            "PLATFORM_LOG_LEVEL": "warning",
            **environment,
        }
        self._environment = {**inherited, **{name: str(value) for name, value in ours.items()}}
        self.start()

    def start(self) -> None:
        """Start it."""
        with self._log.open("ab") as stderr:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "platform_kit.serve", self._service],
                env=self._environment,
                stderr=stderr,
                start_new_session=True,
            )

    def kill(self) -> None:
        """End the master and its worker at once, whatever they are at."""
        with suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()

    def is_alive(self) -> bool:
        """Whether there is a process."""
        return self._process.poll() is None

    def is_ready(self) -> bool:
        """Whether it takes requests."""
        try:
            return self.call("GET", "/ready", port=self.admin_port)[0] == 200
        except OSError:
            return False

    def call(
        self,
        method: str,
        path: str,
        *,
        body: object = None,
        port: int | None = None,
        **headers: str,
    ) -> tuple[int, Any]:
        """Send a request on a connection of its own; return the status and the JSON of the answer."""
        with closing(
            http.client.HTTPConnection("127.0.0.1", port or self.port, timeout=30)
        ) as connection:
            sent = {"Content-Type": "application/json", **headers}
            connection.request(method, path, json.dumps(body) if body is not None else None, sent)
            answer = connection.getresponse()
            raw = answer.read()
        is_json = "json" in (answer.headers.get("Content-Type") or "")
        return answer.status, json.loads(raw) if is_json else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def passing_on(port: int) -> WSGI:
    """Return what passes requests on to a process; 502 while nobody answers there."""

    def pass_on(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        request = Request(environ)
        headers = {name: value for name, value in request.headers.items() if name != "Connection"}
        try:
            with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=10)) as connection:
                connection.request(
                    request.method, request.full_path, request.get_data() or None, headers
                )
                answer = connection.getresponse()
                response = Response(
                    answer.read(),
                    status=answer.status,
                    content_type=answer.headers.get("Content-Type"),
                )
        except (OSError, http.client.HTTPException):
            response = Response("Bad Gateway", status=502)
        return response(environ, start_response)

    return pass_on


def make_database(postgres: Any, service: str) -> str:
    """Make a database on the service's newest schema, and return its URL."""
    name = f"{service}_{secrets.token_hex(4)}"
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"')
    url: str = postgres.get_uri(database=name)
    prefix = service.upper()
    subprocess.run(
        [sys.executable, "-m", "platform_kit.migrations", service, "--phase", "expand"],
        env={
            **os.environ,
            f"{prefix}_DATABASE_URL": url,
            f"{prefix}_ROUTER_URL": "http://127.0.0.1:9",
        },
        stdout=subprocess.PIPE,
        check=True,
    )
    return url


def free_ports() -> tuple[int, int]:
    """Two ports that nobody listens on."""
    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def until(claim: Callable[[], object], *, seconds: float = 60.0) -> None:
    """Poll until something holds; fail when it never does."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "it never held"
        threading.Event().wait(0.02)
