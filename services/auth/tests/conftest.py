"""Auth as its instances run it: on a database that the real migration made."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient

from auth import accounts
from auth.accounts import Role
from auth.app import create
from auth.passwords import Passwords
from auth.tables import metadata
from platform_kit import Database, InstanceSettings, load_settings

sys.path.insert(0, str(Path(__file__).parent))  # for the module beside the tests

ROUTER_URL = "http://127.0.0.1:9"  # the discard port: auth calls nobody


@dataclass(frozen=True)
class Customer:
    """Someone with an account, and the password that only they know."""

    id: str
    email: str
    password: str


class Clock:
    """Stands still at the beginning of a test, and as much later as the test says."""

    def __init__(self) -> None:
        self.began = datetime.now(UTC)
        self.later = timedelta(0)

    def __call__(self) -> datetime:
        return self.began + self.later


@pytest.fixture(scope="session")
def migrate() -> Callable[[str], dict[str, Any]]:
    """Run the expand phase on a database as the deployer does, and return what it reports."""

    def run(url: str) -> dict[str, Any]:
        program = subprocess.run(
            [sys.executable, "-m", "platform_kit.migrations", "auth", "--phase", "expand"],
            env={**os.environ, "AUTH_DATABASE_URL": url, "AUTH_ROUTER_URL": ROUTER_URL},
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
        connection.execute("CREATE DATABASE auth_tests")
    url: str = postgres.get_uri(database="auth_tests")
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
def clock() -> Clock:
    return Clock()


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> Iterator[Callable[[str], Flask]]:
    """Start instances on a database, and close their connections after the test."""
    opened: list[Database] = []

    class OpenedDatabase(Database):
        def __init__(self, url: str) -> None:
            super().__init__(url)
            opened.append(self)

    def start(url: str) -> Flask:
        monkeypatch.setenv("AUTH_DATABASE_URL", url)
        monkeypatch.setenv("AUTH_ROUTER_URL", ROUTER_URL)
        return create(clock=clock)

    monkeypatch.setattr("auth.app.Database", OpenedDatabase)
    yield start
    for database in opened:
        database.dispose()


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the version that is a preview; ask for it before an instance."""
    monkeypatch.setenv("PLATFORM_API_PREVIEW", "true")


@pytest.fixture
def app(database: Database, migrated_url: str, instance: Callable[[str], Flask]) -> Flask:
    """An instance on the emptied database."""
    return instance(migrated_url)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compare passwords as text, for tests of what comes after: a hash takes 30 ms of the processor."""
    monkeypatch.setattr(Passwords, "__init__", lambda _: None)
    monkeypatch.setattr(Passwords, "hash", lambda _, password: f"hashed {password!a}")
    monkeypatch.setattr(
        Passwords, "matches", lambda _, known, password: known == f"hashed {password!a}"
    )


@pytest.fixture
def register(client: FlaskClient) -> Callable[[], Customer]:
    """Register another customer at each call."""

    def register() -> Customer:
        email = f"{secrets.token_hex(4)}@example.test"
        password = secrets.token_urlsafe(16)
        answer = client.post("/api/v1/accounts", json={"email": email, "password": password})
        assert answer.status_code == 201
        return Customer(id=answer.get_json()["id"], email=email, password=password)

    return register


@pytest.fixture
def customer(register: Callable[[], Customer]) -> Customer:
    """A registered customer."""
    return register()


@pytest.fixture
def log_in(client: FlaskClient) -> Callable[[Customer], dict[str, Any]]:
    """Log a customer in, and return what the answer says."""

    def log_in(customer: Customer) -> dict[str, Any]:
        body = {"email": customer.email, "password": customer.password}
        answer = client.post("/api/v1/tokens", json=body)
        assert answer.status_code == 200
        said: dict[str, Any] = answer.get_json()
        return said

    return log_in


@pytest.fixture
def bearer(log_in: Callable[[Customer], dict[str, Any]]) -> Callable[[Customer], dict[str, str]]:
    """Log a customer in, and return the header that says so."""
    return lambda customer: {"Authorization": f"Bearer {log_in(customer)['access_token']}"}


@pytest.fixture
def admin(register: Callable[[], Customer], database: Database) -> Customer:
    """An admin, made as the operator makes one."""
    registered = register()
    accounts.grant_to(database, registered.email, Role.ADMIN)
    return registered


@pytest.fixture
def audited(capfd: pytest.CaptureFixture[str]) -> Callable[[], list[dict[str, Any]]]:
    """Return the lines of the audit trail since the last call."""

    def read() -> list[dict[str, Any]]:
        lines = "".join(capfd.readouterr()).splitlines()
        told = [json.loads(line) for line in lines if line.startswith("{")]
        return [line for line in told if line.get("audit")]

    return read


@pytest.fixture
def together() -> Callable[[int, Callable[[], Any]], list[Any]]:
    """Call one function so often by as many threads as an instance has, all let go at the same moment."""

    def run(calls: int, function: Callable[[], Any]) -> list[Any]:
        count = min(calls, load_settings(InstanceSettings).threads)
        start = threading.Barrier(count, timeout=20)
        with ThreadPoolExecutor(count, initializer=start.wait) as threads:
            under_way = [threads.submit(function) for _ in range(calls)]
            return [call.result(timeout=60) for call in under_way]

    return run
