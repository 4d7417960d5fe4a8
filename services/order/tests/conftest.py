"""Order as its instances run it: on a migrated database, and a small router that plays the others."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from jwt.algorithms import OKPAlgorithm
from sqlalchemy import Engine, event, func, select, text, update
from werkzeug.test import TestResponse

from order.app import create
from order.events import Product, settle
from order.flags import RESERVE_FIRST
from order.orders import CustomerId, ProductId, Wanted, status_of
from order.placement import Purchase
from order.stock import Stock
from order.sweeper import LEFT_OVER_AFTER, Sweeper
from order.tables import metadata, order_items, orders, outbox
from platform_kit import Database, InstanceSettings, ServiceClient, load_settings
from platform_kit.events import Relay

sys.path.insert(0, str(Path(__file__).parent))  # the builders beside the tests, by name

NOWHERE = "http://127.0.0.1:9"  # the discard port

Answer = tuple[int, dict[str, Any] | bytes | None]


class Shop:
    """What product keeps, and does, as its contract says: all or nothing, once, with tombstones."""

    def __init__(self) -> None:
        self.prices: dict[int, str] = {}
        self.stock: dict[int, int] = {}
        self.held: dict[str, dict[int, int]] = {}
        self.released: set[str] = set()
        self.events: list[dict[str, Any]] = []
        self.takes_events = True  # a product before 1.3.0 does not
        self.knows_parts = True  # nor does an older one know of orders that are cancelled in part
        self._lock = threading.Lock()

    def add(self, *, price: str = "4.50", stock: int = 100) -> int:
        """Put a product on the shelf, and return its id."""
        product_id = len(self.prices) + 1
        self.prices[product_id], self.stock[product_id] = price, stock
        return product_id

    def answer(self, method: str, path: str, body: dict[str, Any]) -> Answer:
        """Do what a request asks for, and return the answer's status and body."""
        noun, _, name = path.removeprefix("/product/api/v1/").partition("/")
        with self._lock:
            if (method, noun) == ("GET", "products"):
                return self._read(int(name))
            if noun == "events":
                return self._hear(body)
            items = {item["product_id"]: item["quantity"] for item in body.get("items", ())}
            return self._reserve(name, items) if method == "PUT" else self._release(name)

    def _hear(self, event: dict[str, Any]) -> Answer:
        if not self.takes_events:
            return 404, {"code": "not_found"}
        data = event["data"]
        if data["reservation_id"] is None and not self.knows_parts:
            return 422, {"code": "invalid_request"}
        self.events.append(event)
        if data["reservation_id"] is None:
            self._release_part(data["part_of"], data["items"])
        else:
            self._release(data["reservation_id"])
        return 200, {"outcome": "applied"}

    def _read(self, product_id: int) -> Answer:
        if product_id not in self.prices:
            return 404, {"code": "product_missing", "product_id": product_id}
        return 200, {"id": product_id, "price": self.prices[product_id], "colour": "blue"}

    def _reserve(self, name: str, items: dict[int, int]) -> Answer:
        if name in self.released:
            return 409, {"code": "reservation_released"}
        if name in self.held:
            return 200, {"id": name}
        for product_id, quantity in items.items():
            if product_id not in self.stock:
                return 404, {"code": "product_missing", "product_id": product_id}
            if self.stock[product_id] < quantity:
                return 409, {"code": "out_of_stock", "product_id": product_id}
        for product_id, quantity in items.items():
            self.stock[product_id] -= quantity
        self.held[name] = items
        return 201, {"id": name}

    def _release(self, name: str) -> Answer:
        self.released.add(name)
        for product_id, quantity in self.held.pop(name, {}).items():
            self.stock[product_id] += quantity
        return 204, None

    def _release_part(self, name: str, items: list[dict[str, int]]) -> None:
        for item in items:
            product_id, held = item["product_id"], self.held.get(name, {})
            count = min(item["quantity"], held.get(product_id, 0))
            if count:
                held[product_id] -= count
                self.stock[product_id] += count


class Router:
    """Stands where the router would: auth's keys, a shop for product, and faults on demand.

    A fault belongs to a method and is used up by one request:

    - an answer: it is given, and the shop is not asked
    - "lost": the shop does what is asked, and the connection breaks before the answer
    - "dropped": the connection breaks before the shop is asked
    - "late": nothing happens until `thaw` is set, then the shop is asked
    - "slow": the shop does what is asked, and the answer waits until `thaw` is set
    - a function: it is called before the shop is asked
    """

    def __init__(self) -> None:
        self.shop = Shop()
        methods = ("GET", "PUT", "POST", "DELETE")
        self.faults: dict[str, deque[Any]] = {method: deque() for method in methods}
        self.calls: list[tuple[str, str]] = []
        self.request_ids: list[str | None] = []
        self.traces: list[str | None] = []
        self.done: list[tuple[str, int]] = []
        self.thaw = threading.Event()
        self.kid = secrets.token_hex(4)
        self.private_key = Ed25519PrivateKey.generate()
        router = self

        class Handler(BaseHTTPRequestHandler):
            def handle_one_request(self) -> None:
                """Also survive a client that went away."""
                with suppress(OSError):
                    super().handle_one_request()

            def do_GET(self) -> None:
                """Answer whatever the method: the tests speak of paths and faults."""
                size = int(self.headers.get("Content-Length") or 0)
                body = json.loads(self.rfile.read(size) or b"{}")
                answer = router.answer(self.command, self.path, body, self.headers)
                if answer is not None:
                    self.reply(*answer)

            do_PUT = do_POST = do_DELETE = do_GET  # noqa: N815 - the names that http.server looks for

            def reply(self, status: int, body: dict[str, Any] | bytes | None) -> None:
                raw = json.dumps(body).encode() if isinstance(body, dict) else body or b""
                self.send_response(status)
                self.send_header("Content-Length", str(len(raw)))
                self.end_headers()
                self.wfile.write(raw)

            def log_message(self, *_: object) -> None:
                """Keep the tests' output to the tests."""

        self._server = Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self._thread.start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def answer(self, method: str, path: str, body: dict[str, Any], headers: Any) -> Answer | None:
        """Return what to reply, None to break the connection."""
        if path == "/auth/api/v1/jwks":
            jwk = OKPAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)
            return 200, {"keys": [{**jwk, "kid": self.kid, "alg": "EdDSA", "use": "sig"}]}
        self.calls.append((method, path))
        self.request_ids.append(headers.get("X-Request-Id"))
        self.traces.append(headers.get("traceparent"))
        fault = self.faults[method].popleft() if self.faults[method] else None
        match fault:
            case tuple():
                return fault
            case "dropped":
                return None
            case "late":
                self.thaw.wait(20)
        if callable(fault):
            fault()
        answer = self.shop.answer(method, path, body)
        self.done.append((method, answer[0]))
        if fault == "slow":
            self.thaw.wait(20)
        return None if fault == "lost" else answer

    def token(self, subject: str) -> str:
        """Return a token as auth makes it."""
        now = int(time.time())
        claims = {"sub": subject, "iss": "auth", "aud": "platform", "iat": now, "exp": now + 900}
        return jwt.encode(claims, self.private_key, "EdDSA", headers={"kid": self.kid})

    def stop(self) -> None:
        """Refuse connections from now on."""
        self.thaw.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


class Server(ThreadingHTTPServer):
    """A server that many can connect to at once: http.server's own backlog is 5."""

    request_queue_size = 128


class Customer:
    """Somebody with a token, who asks an instance of order for things."""

    def __init__(self, client: FlaskClient, token: str) -> None:
        self._client = client
        self._headers = {"Authorization": f"Bearer {token}"}

    def place(self, items: dict[int, int], *, key: str | None = None) -> TestResponse:
        """Order {product: quantity}, under a fresh key if none is given."""
        rows = [{"product_id": product, "quantity": count} for product, count in items.items()]
        headers = {**self._headers, "Idempotency-Key": key or secrets.token_hex(8)}
        return self._client.post("/api/v1/orders", json={"items": rows}, headers=headers)

    def get(self, path: str) -> TestResponse:
        """Read below /api/v1."""
        return self._client.get(f"/api/v1/{path}", headers=self._headers)

    def cancel(self, order_id: str, **headers: str) -> TestResponse:
        """Cancel an order."""
        headers = {**self._headers, **headers}
        return self._client.post(f"/api/v1/orders/{order_id}/cancel", headers=headers)

    def cancel_items(
        self, order_id: str, items: dict[int, int], *, key: str | None = None, api: str = "v1"
    ) -> TestResponse:
        """Cancel {product: quantity} of an order, under a fresh key if none is given."""
        rows = [{"product_id": product, "quantity": count} for product, count in items.items()]
        return self.send_cancelled(order_id, rows, key=key or secrets.token_hex(8), api=api)

    def send_cancelled(
        self, order_id: str, items: object, *, key: str, api: str = "v1"
    ) -> TestResponse:
        """Cancel what is said, in whatever shape."""
        headers = {**self._headers, "Idempotency-Key": key}
        url = f"/api/{api}/orders/{order_id}/items/cancel"
        return self._client.post(url, json={"items": items}, headers=headers)

    def orders(self) -> list[dict[str, Any]]:
        """All that the customer sees."""
        items: list[dict[str, Any]] = self.get("orders?limit=100").get_json()["items"]
        return items


class Books:
    """A look into order's database, past the service."""

    def __init__(self, database: Database) -> None:
        self.database = database

    def statuses(self) -> list[str]:
        """The status of every order there is, seen or unseen."""
        with self.database.connect() as connection:
            return [status_of(row) for row in connection.execute(select(orders))]

    def count_items(self) -> int:
        """How many items there are, of all orders."""
        with self.database.connect() as connection:
            return connection.scalar(select(func.count()).select_from(order_items)) or 0

    def count_events(self) -> int:
        """How many events product has not confirmed yet."""
        with self.database.connect() as connection:
            return connection.scalar(select(func.count()).select_from(outbox)) or 0

    def age(self) -> None:
        """Let every order be as old as one that the sweeper takes for left over, and every event due."""
        past = orders.c.touched_at - LEFT_OVER_AFTER
        with self.database.begin() as connection:
            connection.execute(update(orders).values(touched_at=past))
            connection.execute(update(outbox).values(due_at=func.now()))


@pytest.fixture
def router() -> Iterator[Router]:
    router = Router()
    yield router
    router.stop()


@pytest.fixture
def shop(router: Router) -> Shop:
    return router.shop


@pytest.fixture(scope="session")
def migrate() -> Callable[[str], dict[str, Any]]:
    """Run the expand phase on a database as the deployer does, and return what it reports."""

    def run(url: str) -> dict[str, Any]:
        program = subprocess.run(
            [sys.executable, "-m", "platform_kit.migrations", "order", "--phase", "expand"],
            env={**os.environ, "ORDER_DATABASE_URL": url, "ORDER_ROUTER_URL": NOWHERE},
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
        connection.execute("CREATE DATABASE order_tests")
    url: str = postgres.get_uri(database="order_tests")
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
def plan(database: Database) -> Callable[[Callable[[], object]], str]:
    """Return what PostgreSQL does for the statements of a call, on a table too long to be read whole.

    The first release's index of a customer's orders is put out of sight: it would do for the new one.
    """

    def explain(call: Callable[[], object]) -> str:
        asked: list[tuple[str, Any]] = []

        def note(_connection: Any, _cursor: Any, statement: str, values: Any, *_: Any) -> None:
            asked.append((statement, values))

        event.listen(Engine, "before_cursor_execute", note)
        call()
        event.remove(Engine, "before_cursor_execute", note)
        with database.connect() as connection:
            connection.execute(text("SET LOCAL enable_seqscan = off"))
            connection.execute(text("DROP INDEX IF EXISTS orders_of_customer"))
            plans = [
                connection.exec_driver_sql(f"EXPLAIN {each}", values) for each, values in asked
            ]
            return "\n".join(line for lines in plans for line in lines.scalars())

    return explain


@pytest.fixture
def books(database: Database) -> Books:
    return Books(database)


@pytest.fixture
def instance(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, str], Flask]]:
    """Start instances on a database and a router, and close their connections after the test."""
    opened: list[Database | ServiceClient] = []

    class OpenedDatabase(Database):
        def __init__(self, url: str) -> None:
            # An instance has as many threads as connections; the tests have up to 60 threads.
            super().__init__(url, pool_size=30)
            opened.append(self)

    class OpenedClient(ServiceClient):
        def __init__(self, *where: str, **options: Any) -> None:
            super().__init__(*where, **options)
            opened.append(self)

    def start(url: str, router_url: str) -> Flask:
        monkeypatch.setenv("PLATFORM_THREADS", "60")
        monkeypatch.setenv("ORDER_DATABASE_URL", url)
        monkeypatch.setenv("ORDER_ROUTER_URL", router_url)
        return create()

    monkeypatch.setattr("order.app.Database", OpenedDatabase)
    monkeypatch.setattr("order.app.ServiceClient", OpenedClient)
    yield start
    for each in opened:
        each.dispose() if isinstance(each, Database) else each.close()


@pytest.fixture(params=[False, True], ids=["prices-first", "reserve-first"])
def either_way(request: pytest.FixtureRequest) -> Iterator[None]:
    """Once with the flag off for everybody, and once with it on."""
    with RESERVE_FIRST.override(request.param):
        yield


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """An instance that waits for product for a moment only; wanted before the app is made."""
    monkeypatch.setenv("ORDER_PRODUCT_TIMEOUT_SECONDS", "0.8")


@pytest.fixture
def preview(monkeypatch: pytest.MonkeyPatch) -> None:
    """Answer the version that is a preview; ask for it before an instance."""
    monkeypatch.setenv("PLATFORM_API_PREVIEW", "true")


@pytest.fixture
def app(
    database: Database, migrated_url: str, router: Router, instance: Callable[[str, str], Flask]
) -> Flask:
    """An instance on the emptied database, that reaches the others through the router."""
    return instance(migrated_url, router.url)


@pytest.fixture
def customer(app: Flask, router: Router) -> Callable[[str], Customer]:
    """A customer with this name; a client of their own makes them safe to use in a thread."""
    return lambda name: Customer(app.test_client(), router.token(name))


@pytest.fixture
def ada(customer: Callable[[str], Customer]) -> Customer:
    return customer("ada")


@pytest.fixture
def bob(customer: Callable[[str], Customer]) -> Customer:
    return customer("bob")


@pytest.fixture
def stock(router: Router) -> Iterator[Stock]:
    """Product's stock, for calling the pieces of placing one by one."""
    client = ServiceClient(router.url, "product", timeout_seconds=10)
    yield Stock(client)
    client.close()


@pytest.fixture
def sweeper(database: Database, stock: Stock) -> Sweeper:
    """The sweeper of another instance."""
    return Sweeper(database, stock)


@pytest.fixture
def relay(database: Database, router: Router) -> Iterator[Relay]:
    """The relay of another instance."""
    client = ServiceClient(router.url, "product", timeout_seconds=10)
    yield Relay(database, outbox, Product(client).tell, settle=settle)
    client.close()


@pytest.fixture
def purchase() -> Callable[..., Purchase]:
    """What ada asks for, as the domain has it."""

    def make(items: dict[int, int], *, key: str | None = None) -> Purchase:
        wanted = (Wanted(ProductId(product), count) for product, count in items.items())
        return Purchase(CustomerId("ada"), key or str(uuid4()), frozenset(wanted))

    return make


@pytest.fixture
def tea(shop: Shop) -> int:
    """A product at 4.50, a hundred of it."""
    return shop.add(price="4.50", stock=100)


@pytest.fixture
def cup(shop: Shop) -> int:
    """A product at 8.00, five of it."""
    return shop.add(price="8.00", stock=5)


@pytest.fixture
def until() -> Callable[[Callable[[], object]], None]:
    """Poll until something holds, for ten seconds at most."""

    def wait(holds: Callable[[], object]) -> None:
        deadline = time.monotonic() + 10
        while not holds():
            assert time.monotonic() < deadline, "it never held"
            threading.Event().wait(0.01)

    return wait


@pytest.fixture
def together() -> Callable[[Sequence[Callable[[], Any]]], list[Any]]:
    """Call functions by as many threads as an instance has, all let go at the same moment; return their results."""

    def run(functions: Sequence[Callable[[], Any]]) -> list[Any]:
        count = min(len(functions), load_settings(InstanceSettings).threads)
        start = threading.Barrier(count, timeout=20)
        with ThreadPoolExecutor(count, initializer=start.wait) as threads:
            return list(threads.map(lambda function: function(), functions, timeout=60))

    return run
