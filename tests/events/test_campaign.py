"""A thousand orders, a third of them cancelled, while product is killed every few seconds."""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from events.stage import Front, Process, passing_on, until
from sqlalchemy import select

from order import tables as order_tables
from order.orders import Status, status_of
from product import tables as product_tables

pytestmark = pytest.mark.campaign

CLIENTS = 8
PAUSE_SECONDS = 0.25
# How long product lives each time, and, where there are few orders, how long then.
UP_SECONDS = (2.0, 5.0)
FEW_UP_SECONDS = (0.3, 1.0)
STOCK = 100_000


@dataclass
class Shop:
    """Two instances of order and one of product, and how the customers fared."""

    orders: list[Process]
    product: Process
    token: str
    tea: int = 0
    kills: int = 0
    refused: int = 0
    cancel_seconds: list[float] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def ask(self, path: str, *, body: object = None, key: str = "") -> tuple[int, Any]:
        """Ask any of the two instances."""
        headers = {"Authorization": f"Bearer {self.token}", "Idempotency-Key": key}
        return random.choice(self.orders).call("POST", path, body=body, **headers)

    def buy(self, quantity: int) -> str:
        """Order until the order stands, under one key as a careful client does, and return its id."""
        key = secrets.token_hex(8)
        body = {"items": [{"product_id": self.tea, "quantity": quantity}]}
        while True:
            status, answer = self.ask("/api/v1/orders", body=body, key=key)
            if status in {200, 201}:
                order_id: str = answer["id"]
                return order_id
            assert status in {409, 503}, answer
            with self.lock:
                self.refused += 1
            threading.Event().wait(PAUSE_SECONDS)

    def cancel(self, order_id: str) -> None:
        """Cancel, which has to work at once."""
        begun = time.monotonic()
        status, answer = self.ask(f"/api/v1/orders/{order_id}/cancel")
        assert (status, answer["status"]) == (200, "cancelled")
        with self.lock:
            self.cancel_seconds.append(time.monotonic() - begun)


@pytest.fixture
def shop(front: Front, urls: dict[str, str], books: Any, tmp_path: Path) -> Iterator[Shop]:
    """All of them up, and tea on the shelf."""

    def start(service: str, number: int = 1) -> Process:
        prefix = service.upper()
        environment = {f"{prefix}_DATABASE_URL": urls[service], f"{prefix}_ROUTER_URL": front.url}
        log = tmp_path / f"{service}-{number}.log"
        return running.enter_context(Process(service, log, **environment))

    with ExitStack() as running:
        orders = [start("order", number) for number in (1, 2)]
        shop = Shop(orders, start("product"), front.token("ada"))
        front.product = passing_on(shop.product.port)
        until(lambda: all(each.is_ready() for each in (*orders, shop.product)))
        body = {"sku": "tea", "name": "Tea", "price": "4.50", "stock": STOCK}
        shop.tea = shop.product.call("POST", "/api/v1/inventory", body=body)[1]["id"]
        yield shop


@contextmanager
def dying(shop: Shop, up_seconds: tuple[float, float]) -> Iterator[None]:
    """Kill product again and again, and start it anew; it is up at the end."""
    over = threading.Event()

    def keep_killing() -> None:
        while not over.wait(random.uniform(*up_seconds)):
            shop.product.kill()
            shop.kills += 1
            shop.product.start()
            until(shop.product.is_ready)

    thread = threading.Thread(target=keep_killing)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def test_whatever_product_dies_of_every_order_is_whole_and_every_event_has_one_effect(
    shop: Shop, front: Front, books: Any, full: bool, record: Callable[..., None]
):
    """Orders and stock agree to the piece."""
    wanted = 1000 if full else 60
    sold: dict[str, int] = {}
    cancelled: set[str] = set()

    def shopping(number: int) -> None:
        quantity = 1 + number % 5
        order_id = shop.buy(quantity)
        sold[order_id] = quantity
        if number % 3 == 0:
            shop.cancel(order_id)
            cancelled.add(order_id)
        threading.Event().wait(PAUSE_SECONDS)

    with (
        dying(shop, UP_SECONDS if full else FEW_UP_SECONDS),
        ThreadPoolExecutor(CLIENTS) as clients,
    ):
        list(clients.map(shopping, range(wanted)))
    up_at = time.monotonic()
    until(lambda: (books.waiting(), books.unsettled()) == (0, 0), seconds=180)
    settled_seconds = time.monotonic() - up_at

    record(
        "events",
        orders=wanted,
        cancelled=len(cancelled),
        product_killed=shop.kills,
        orders_refused_meanwhile=shop.refused,
        cancels_that_failed=0,
        slowest_cancel_seconds=round(max(shop.cancel_seconds), 3),
        deliveries=front.events,
        effects=books.received(),
        settled_after_seconds=round(settled_seconds, 3),
        stock_lost_or_gained=books.stock(shop.tea) - (STOCK - kept(sold, cancelled)),
    )
    assert shop.kills >= 2
    assert statuses(books) == {
        order_id: Status.CANCELLED if order_id in cancelled else Status.PLACED for order_id in sold
    }
    assert books.stock(shop.tea) == STOCK - kept(sold, cancelled)
    assert books.received() == len(cancelled)
    assert held(books) == sold.keys() - cancelled


def kept(sold: dict[str, int], cancelled: set[str]) -> int:
    """How many pieces are with customers."""
    return sum(quantity for order_id, quantity in sold.items() if order_id not in cancelled)


def statuses(books: Any) -> dict[str, Status]:
    """Every order that there is, by what became of it."""
    with books.databases["order"].connect() as connection:
        return {
            str(row.id): status_of(row) for row in connection.execute(select(order_tables.orders))
        }


def held(books: Any) -> set[str]:
    """The reservations that hold something."""
    table = product_tables.reservations
    statement = select(table.c.id).where(table.c.released_at.is_(None))
    with books.databases["product"].connect() as connection:
        return {str(each) for each in connection.execute(statement).scalars()}
