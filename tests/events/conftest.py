"""Order as its instances run it, with the real product beside it, each on its own database."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from events.stage import Front, make_database
from flask import Flask
from sqlalchemy import func, select, update

from order import tables as order_tables
from order.app import create as create_order
from platform_kit import Database, ServiceClient
from product import tables as product_tables
from product.app import create as create_product


@pytest.fixture(scope="session")
def urls(postgres: Any) -> dict[str, str]:
    """A database each, for all tests: a migration takes 2 s."""
    return {service: make_database(postgres, service) for service in ("order", "product")}


@pytest.fixture
def opened(
    monkeypatch: pytest.MonkeyPatch, urls: dict[str, str]
) -> Iterator[list[Database | ServiceClient]]:
    """What the apps open, so that it is closed after the test."""
    opened: list[Database | ServiceClient] = []

    class OpenedDatabase(Database):
        def __init__(self, url: str) -> None:
            super().__init__(url, pool_size=20)
            opened.append(self)

    class OpenedClient(ServiceClient):
        def __init__(self, *where: str, **options: Any) -> None:
            super().__init__(*where, **options)
            opened.append(self)

    monkeypatch.setattr("product.app.Database", OpenedDatabase)
    monkeypatch.setattr("order.app.Database", OpenedDatabase)
    monkeypatch.setattr("order.app.ServiceClient", OpenedClient)
    monkeypatch.setenv("PLATFORM_THREADS", "60")
    for service, url in urls.items():
        monkeypatch.setenv(f"{service.upper()}_DATABASE_URL", url)
    yield opened
    for each in opened:
        each.dispose() if isinstance(each, Database) else each.close()


@pytest.fixture
def front(monkeypatch: pytest.MonkeyPatch, urls: dict[str, str]) -> Iterator[Front]:
    front = Front()
    for service in urls:
        monkeypatch.setenv(f"{service.upper()}_ROUTER_URL", front.url)
    yield front
    front.close()


@pytest.fixture
def product(opened: list[Any], front: Front, books: Books) -> Flask:
    """Product, up."""
    app = create_product()
    front.product = app.wsgi_app
    return app


@pytest.fixture
def instance(opened: list[Any], front: Front, books: Books) -> Callable[[], Flask]:
    """Make an instance of order."""
    return create_order


@pytest.fixture
def customer(front: Front) -> Callable[..., Customer]:
    """Ada at an instance, with a token of the front's or one that the real auth made."""
    return lambda app, token=None: Customer(app, token or front.token("ada"))


class Customer:
    """Ada, who asks an instance of order for things."""

    def __init__(self, app: Flask, token: str) -> None:
        self._app = app
        self._headers = {"Authorization": f"Bearer {token}"}

    def place(self, product: int, quantity: int = 2) -> str:
        """Order so many of a product, and return the order's id."""
        answer = self._app.test_client().post(
            "/api/v1/orders",
            json={"items": [{"product_id": product, "quantity": quantity}]},
            headers={**self._headers, "Idempotency-Key": secrets.token_hex(8)},
        )
        assert answer.status_code == 201, answer.text
        order_id: str = answer.get_json()["id"]
        return order_id

    def cancel(self, order_id: str) -> Any:
        """Cancel an order."""
        return self._app.test_client().post(
            f"/api/v1/orders/{order_id}/cancel", headers=self._headers
        )

    def cancel_items(self, order_id: str, items: dict[int, int], *, key: str | None = None) -> Any:
        """Cancel {product: quantity} of an order."""
        rows = [{"product_id": product, "quantity": count} for product, count in items.items()]
        answer = self._app.test_client().post(
            f"/api/v2/orders/{order_id}/items/cancel",
            json={"items": rows},
            headers={**self._headers, "Idempotency-Key": key or secrets.token_hex(8)},
        )
        assert answer.status_code in {200, 409}, answer.text
        return answer


class Books:
    """A look into both databases, past the services."""

    def __init__(self, databases: dict[str, Database]) -> None:
        self.databases = databases

    def stock(self, product: int) -> int:
        """How many can be reserved."""
        table = product_tables.products
        return self._one("product", select(table.c.stock).where(table.c.id == product))

    def ordered(self, product: int) -> int:
        """How many are in orders that are placed."""
        orders, items = order_tables.orders.c, order_tables.order_items.c
        placed = select(orders.id).where(orders.target_status == "placed")
        chosen = select(func.coalesce(func.sum(items.quantity), 0)).where(
            items.product_id == product, items.order_id.in_(placed)
        )
        return self._one("order", chosen)

    def reserved(self, product: int) -> int:
        """How many are in reservations that are not released."""
        held, items = product_tables.reservations.c, product_tables.reservation_items.c
        open_ = select(held.id).where(held.released_at.is_(None))
        chosen = select(func.coalesce(func.sum(items.quantity), 0)).where(
            items.product_id == product, items.reservation_id.in_(open_)
        )
        return self._one("product", chosen)

    def received(self) -> int:
        """How many events have had their effect."""
        return self._one("product", select(func.count()).select_from(product_tables.inbox))

    def waiting(self) -> int:
        """How many events are not confirmed."""
        return self._one("order", select(func.count()).select_from(order_tables.outbox))

    def unsettled(self) -> int:
        """How many orders are not where they go."""
        table = order_tables.orders
        return self._one("order", select(func.count()).where(~table.c.settled))

    def hurry(self) -> None:
        """Let everything that waits be due."""
        with self.databases["order"].begin() as connection:
            connection.execute(update(order_tables.outbox).values(due_at=func.now()))

    def _one(self, service: str, statement: Any) -> int:
        with self.databases[service].connect() as connection:
            return int(connection.execute(statement).scalar_one())


@pytest.fixture
def books(urls: dict[str, str]) -> Iterator[Books]:
    """Both databases, emptied."""
    databases = {service: Database(url) for service, url in urls.items()}
    metadata = {"order": order_tables.metadata, "product": product_tables.metadata}
    for service, database in databases.items():
        with database.begin() as connection:
            for table in reversed(metadata[service].sorted_tables):
                connection.execute(table.delete())
    yield Books(databases)
    for database in databases.values():
        database.dispose()


@pytest.fixture
def tea(product: Flask) -> int:
    """A product, a hundred of it."""
    answer = product.test_client().post(
        "/api/v1/inventory",
        json={"sku": "tea", "name": "Tea", "price": "4.50", "stock": 100},
    )
    product_id: int = answer.get_json()["id"]
    return product_id
