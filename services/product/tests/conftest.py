"""Product as its instances run it: on a database that the real migration made."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import psycopg
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from platform_kit import Database, InstanceSettings, load_settings
from product.app import create
from product.tables import metadata

ROUTER_URL = (
    "http://127.0.0.1:9"  # the discard port: product calls nobody, unless it asks who calls
)

# An instance has as many threads as connections. The tests have up to 200 threads, which must not
# give up waiting for one; PostgreSQL allows 100.
POOL_SIZE = 40


@pytest.fixture(scope="session")
def migrate() -> Callable[[str], dict[str, Any]]:
    """Run the expand phase on a database as the deployer does, and return what it reports."""

    def run(url: str) -> dict[str, Any]:
        program = subprocess.run(
            [sys.executable, "-m", "platform_kit.migrations", "product", "--phase", "expand"],
            env={**os.environ, "PRODUCT_DATABASE_URL": url, "PRODUCT_ROUTER_URL": ROUTER_URL},
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
        connection.execute("CREATE DATABASE product_tests")
    url: str = postgres.get_uri(database="product_tests")
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
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Flask]]:
    """Start instances on a database, and close their connections after the test."""
    opened: list[Database] = []

    class OpenedDatabase(Database):
        def __init__(self, url: str) -> None:
            super().__init__(url, pool_size=POOL_SIZE)
            opened.append(self)

    def start(url: str, router_url: str = ROUTER_URL) -> Flask:
        monkeypatch.setenv("PRODUCT_DATABASE_URL", url)
        monkeypatch.setenv("PRODUCT_ROUTER_URL", router_url)
        return create()

    monkeypatch.setattr("product.app.Database", OpenedDatabase)
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
def stocked(client: FlaskClient) -> Callable[..., int]:
    """Put a product into the catalogue, and return its id."""

    def add(**changes: object) -> int:
        body = {"sku": f"sku-{secrets.token_hex(4)}", "name": "Tea", "price": "4.50", "stock": 10}
        answer = client.post("/api/v1/inventory", json={**body, **changes})
        assert answer.status_code == 201
        product_id: int = answer.get_json()["id"]
        return product_id

    return add


@pytest.fixture
def stock_of(client: FlaskClient) -> Callable[[int], int]:
    """How many of a product can be reserved."""

    def read(product_id: int) -> int:
        stock: int = client.get(f"/api/v1/products/{product_id}").get_json()["stock"]
        return stock

    return read


@pytest.fixture
def reserve(app: Flask) -> Callable[[object, dict[int, int]], TestResponse]:
    """Reserve {product: quantity} as another service does; safe to call in many threads."""

    def call(reservation_id: object, items: dict[int, int]) -> TestResponse:
        rows = [{"product_id": product, "quantity": count} for product, count in items.items()]
        url = f"/api/v1/reservations/{reservation_id}"
        return app.test_client().put(url, json={"items": rows})

    return call


@pytest.fixture
def release(app: Flask) -> Callable[[object], TestResponse]:
    """Release a reservation as another service does; safe to call in many threads."""
    return lambda reservation_id: app.test_client().delete(f"/api/v1/reservations/{reservation_id}")


@pytest.fixture
def together() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Call functions by as many threads as an instance has, all let go at the same moment; return their results."""

    def run(functions: Sequence[Callable[[], Any]]) -> list[Any]:
        count = min(len(functions), load_settings(InstanceSettings).threads)
        start = threading.Barrier(count, timeout=20)
        with ThreadPoolExecutor(count, initializer=start.wait) as threads:
            return list(threads.map(lambda function: function(), functions, timeout=60))

    return run
