"""Order shows product who it is, by tokens of the real auth: whom product lets in, and how that is switched on."""

from __future__ import annotations

import json
import secrets
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from events.stage import make_database, until

from auth import keys, services
from auth.app import create as create_auth
from auth.tables import metadata
from order.app import create as create_order
from platform_kit import Database, start_background
from platform_kit.instance import Instance
from product.app import create as create_product

pytestmark = pytest.mark.integration


@pytest.fixture(scope="module")
def auth_url(postgres):
    """A database for auth."""
    return make_database(postgres, "auth")


@pytest.fixture
def auth(auth_url, front, opened, monkeypatch):
    """The real auth behind the front; what it keeps."""
    database = Database(auth_url)
    with database.begin() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())

    class OpenedDatabase(Database):
        def __init__(self, url):
            super().__init__(url)
            opened.append(self)

    monkeypatch.setattr("auth.app.Database", OpenedDatabase)
    monkeypatch.setenv("AUTH_DATABASE_URL", auth_url)
    monkeypatch.setenv("AUTH_ROUTER_URL", front.url)
    app = create_auth()
    front.auth = app.wsgi_app
    yield app, database
    database.dispose()


@pytest.fixture
def secret_file(tmp_path):
    """Where order finds its secret."""
    return tmp_path / "secret"


@pytest.fixture
def order(auth, secret_file, monkeypatch, books):
    """Make an instance of order: one that has a secret, or an old one that sends no token."""

    def make(*, has_secret=True):
        monkeypatch.delenv("ORDER_SERVICE_SECRET_FILE", raising=False)
        if has_secret:
            secret_file.write_text(services.admit(auth[1], "order"))
            monkeypatch.setenv("ORDER_SERVICE_SECRET_FILE", str(secret_file))
        return create_order()

    return make


@pytest.fixture
def product_in(opened, front, books, monkeypatch):
    """Put an instance of product behind the front, with this mode; return the app."""

    def put(mode):
        monkeypatch.setenv("PRODUCT_SERVICE_TOKENS", mode)
        app = create_product()
        front.product = app.wsgi_app
        return app

    return put


@pytest.fixture
def shelve():
    """Put something on the shelf, a hundred of it; return its id."""

    def shelve(product):
        body = {"sku": secrets.token_hex(4), "name": "Tea", "price": "4.50", "stock": 100}
        return product.test_client().post("/api/v1/inventory", json=body).json["id"]

    return shelve


@pytest.fixture
def token(auth):
    """The token of a customer who has logged in."""
    client = auth[0].test_client()
    body = {"email": "ada@example.test", "password": secrets.token_urlsafe(16)}
    assert client.post("/api/v1/accounts", json=body).status_code == 201
    return client.post("/api/v1/tokens", json=body).json["access_token"]


def calls(product):
    """How the calls that are for services only have ended, without those that have not."""
    page = Instance.of(product).metrics.exposition().decode()
    lines = [line for line in page.splitlines() if line.startswith("service_calls_total")]
    counts = {
        line.split('outcome="')[1].split('"')[0]: int(float(line.rpartition(" ")[2]))
        for line in lines
    }
    return {outcome: count for outcome, count in counts.items() if count}


def status(app, token, product):
    """What a customer hears who orders."""
    answer = app.test_client().post(
        "/api/v1/orders",
        json={"items": [{"product_id": product, "quantity": 1}]},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": secrets.token_hex(8)},
    )
    return answer.status_code


def test_orders_are_placed_and_cancelled_with_tokens(
    order, product_in, shelve, token, books, customer
):
    """The reservation and the event both say that they are order's, where that is required."""
    product = product_in("required")
    tea, instance = shelve(product), order()
    ada = customer(instance, token)
    order_id = ada.place(tea)
    assert books.stock(tea) == 98
    with start_background(instance):
        assert ada.cancel(order_id).status_code == 200
        until(lambda: books.waiting() == 0)

    assert (books.stock(tea), books.received()) == (100, 1)
    assert set(calls(product)) == {"admitted"}


@pytest.mark.parametrize("mode", ["off", "observe"])
def test_old_and_new_instances_work_side_by_side(order, product_in, shelve, token, mode):
    """Until all send tokens nobody is refused, and observing counts who would be."""
    product = product_in(mode)
    tea = shelve(product)
    old, new = order(has_secret=False), order()

    assert [status(app, token, tea) for app in (old, new)] == [201, 201]
    expected = {} if mode == "off" else {"tolerated": 1, "admitted": 1}
    assert calls(product) == expected


def test_required_too_early_would_lose_requests(order, product_in, shelve, token):
    """The negative control: what the count of the tolerated ones warns of. Nobody is sold what is not there."""
    product = product_in("required")
    tea = shelve(product)
    old, new = order(has_secret=False), order()

    assert [status(app, token, tea) for app in (old, new)] == [503, 201]


@pytest.mark.parametrize("caller", ["nobody", "a customer", "another service"])
def test_everybody_else_is_refused(auth, product_in, shelve, token, books, caller, capfd):
    """On each of the routes, before anything is done; with a line in the audit trail each."""
    product = product_in("required")
    tea, reservation = shelve(product), uuid4()
    client = product.test_client()
    asked = {"service": "user", "secret": services.admit(auth[1], "user")}
    users = auth[0].test_client().post("/api/v1/service-tokens", json=asked).json["access_token"]
    shown = {"nobody": None, "a customer": token, "another service": users}[caller]
    headers = {"Authorization": f"Bearer {shown}"} if shown else {}
    path = f"/api/v1/reservations/{reservation}"
    items = {"items": [{"product_id": tea, "quantity": 1}]}
    capfd.readouterr()
    answers = [
        client.put(path, json=items, headers=headers),
        client.delete(path, headers=headers),
        client.post("/api/v1/events", json={"nonsense": True}, headers=headers),
    ]

    code = {
        "nobody": (401, "token_missing"),
        "a customer": (401, "token_invalid"),
        "another service": (403, "service_not_admitted"),
    }[caller]
    assert [(answer.status_code, answer.json["code"]) for answer in answers] == [code] * 3
    assert (books.stock(tea), books.received()) == (100, 0)
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    told = [(line["event"], line["reason"]) for line in lines if line.get("audit")]
    assert told == [("service_call_refused", code[1])] * 3
    # The control: what order's own would have done.
    granted = {"service": "order", "secret": services.admit(auth[1], "order")}
    orders = auth[0].test_client().post("/api/v1/service-tokens", json=granted).json
    headers = {"Authorization": f"Bearer {orders['access_token']}"}
    assert client.put(path, json=items, headers=headers).status_code == 201


def test_a_services_token_opens_nothing_of_a_customers(auth, order, product_in, shelve):
    """The other way round: nobody orders by it."""
    tea = shelve(product_in("required"))
    instance = order()
    asked = {"service": "order", "secret": services.admit(auth[1], "order")}
    token = auth[0].test_client().post("/api/v1/service-tokens", json=asked).json["access_token"]

    assert status(instance, token, tea) == 401


def test_keys_that_are_thrown_away_cost_no_order(
    auth, order, product_in, shelve, token, monkeypatch
):
    """Order's token is worth nothing to a product that knows the new keys only: it comes again with another."""
    monkeypatch.setattr("platform_kit.service_tokens.REPLACE_AFTER_SECONDS", 0)
    tea, instance = shelve(product_in("required")), order()
    assert status(instance, token, tea) == 201
    keys.replace(auth[1], now=datetime.now(UTC))
    product = product_in("required")

    assert status(instance, token, tea) == 201  # order itself knows the customer's key still
    assert calls(product) == {"refused": 1, "admitted": 1}


def test_a_rotated_secret_is_picked_up(
    auth, order, product_in, shelve, token, secret_file, monkeypatch
):
    """Without a restart: the file is read for the next token."""
    monkeypatch.setattr("platform_kit.service_tokens.REPLACE_AFTER_SECONDS", 0)
    tea, instance = shelve(product_in("required")), order()
    assert status(instance, token, tea) == 201
    secret_file.write_text(services.admit(auth[1], "order"))
    keys.replace(auth[1], now=datetime.now(UTC))
    product_in("required")

    assert status(instance, token, tea) == 201


def test_an_order_without_a_token_is_told_to_come_again(
    auth, order, product_in, shelve, token, books
):
    """A 503, and nothing is begun that a sweeper would have to undo."""
    tea, instance = shelve(product_in("required")), order()
    services.admit(auth[1], "order")  # another secret than the one that order has
    answer = instance.test_client().post(
        "/api/v1/orders",
        json={"items": [{"product_id": tea, "quantity": 1}]},
        headers={"Authorization": f"Bearer {token}", "Idempotency-Key": "one"},
    )

    assert (answer.status_code, answer.json["code"]) == (503, "product_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert (books.stock(tea), books.unsettled()) == (100, 0)
