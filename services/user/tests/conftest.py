"""User as its instances run it: on a database that the real migration made, with keys over HTTP."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from jwt.algorithms import OKPAlgorithm

from platform_kit import Database
from user.app import create
from user.tables import metadata

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside the tests

NOWHERE = "http://127.0.0.1:9"  # the discard port


class Issuer:
    """Stand where the router and auth would: publish a key, and sign with it."""

    def __init__(self) -> None:
        self.kid = secrets.token_hex(4)
        self.private_key = Ed25519PrivateKey.generate()
        self.fetched: list[str] = []
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                """Answer the keys where the router has auth's, and 404 elsewhere."""
                # Not self.path: it hides a doubled slash.
                issuer.fetched.append(self.requestline.split()[1])
                body = json.dumps({"keys": [issuer.public_jwk()]}).encode()
                self.send_response(200 if self.path == "/auth/api/v1/jwks" else 404)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Keep the tests' output to the tests."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.router_url = f"http://127.0.0.1:{self._server.server_port}"

    def public_jwk(self) -> dict[str, str]:
        """Return the key as auth publishes it."""
        jwk = OKPAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "alg": "EdDSA", "use": "sig"}

    def claims(self, subject: str) -> dict[str, Any]:
        """Return what auth puts into a token."""
        now = int(time.time())
        return {"sub": subject, "iss": "auth", "aud": "platform", "iat": now, "exp": now + 900}

    def token(self, subject: str, **changes: object) -> str:
        """Return a token as auth makes it, but for the changed claims; None takes one away."""
        claims = {**self.claims(subject), **changes}
        claims = {name: value for name, value in claims.items() if value is not None}
        return jwt.encode(claims, self.private_key, "EdDSA", headers={"kid": self.kid})

    def stop(self) -> None:
        """Refuse connections from now on."""
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture
def issuer() -> Iterator[Issuer]:
    """Somebody whose tokens user trusts."""
    issuer = Issuer()
    yield issuer
    issuer.stop()


@pytest.fixture(scope="session")
def migrate() -> Callable[[str], dict[str, Any]]:
    """Run the expand phase on a database as the deployer does, and return what it reports."""

    def run(url: str) -> dict[str, Any]:
        program = subprocess.run(
            [sys.executable, "-m", "platform_kit.migrations", "user", "--phase", "expand"],
            env={**os.environ, "USER_DATABASE_URL": url, "USER_ROUTER_URL": NOWHERE},
            stdout=subprocess.PIPE,
            check=True,
        )
        report: dict[str, Any] = json.loads(program.stdout)
        return report

    return run


@pytest.fixture(scope="session")
def migrated_url(postgres: Any, migrate: Callable[[str], dict[str, Any]]) -> str:
    """One database on the newest schema for all tests: a migration for each takes 2 s."""
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE DATABASE user_tests")
    url: str = postgres.get_uri(database="user_tests")
    migrate(url)
    return url


@pytest.fixture(scope="session")
def connected(migrated_url: str) -> Iterator[Database]:
    """The tests' own connections: to open them for each test takes as long as a short test."""
    database = Database(migrated_url)
    yield database
    database.dispose()


@pytest.fixture
def database(connected: Database) -> Database:
    """The database, emptied."""
    with connected.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return connected


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Flask]]:
    """Start instances on a database and a router, and close their connections after the test."""
    opened: list[Database] = []

    class OpenedDatabase(Database):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            opened.append(self)

    def start(url: str, router_url: str) -> Flask:
        monkeypatch.setenv("USER_DATABASE_URL", url)
        monkeypatch.setenv("USER_ROUTER_URL", router_url)
        return create()

    monkeypatch.setattr("user.app.Database", OpenedDatabase)
    yield start
    for database in opened:
        database.dispose()


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the version that is a preview; ask for it before an instance."""
    monkeypatch.setenv("PLATFORM_API_PREVIEW", "true")


@pytest.fixture
def app(
    database: Database, migrated_url: str, issuer: Issuer, instance: Callable[[str, str], Flask]
) -> Flask:
    """An instance on the emptied database, that learns its keys from the issuer."""
    return instance(migrated_url, issuer.router_url)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def ada(issuer: Issuer) -> dict[str, str]:
    """The headers of a customer's request."""
    return {"Authorization": f"Bearer {issuer.token('ada')}"}


@pytest.fixture
def bob(issuer: Issuer) -> dict[str, str]:
    """The headers of another customer's request."""
    return {"Authorization": f"Bearer {issuer.token('bob')}"}


@pytest.fixture
def together() -> Callable[[int, Callable[[int], Any]], list[Any]]:
    """Call one function in many threads at the same moment, and return all results."""

    def run(count: int, function: Callable[[int], Any]) -> list[Any]:
        start = threading.Barrier(count)

        def wait_and_call(number: int) -> Any:
            start.wait(timeout=10)
            return function(number)

        with ThreadPoolExecutor(count) as threads:
            return list(threads.map(wait_and_call, range(count), timeout=30))

    return run
