"""An order is cancelled, and the real product gives its stock back: once, whatever fails between the two."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from events.stage import Process, until

from order.tables import outbox
from platform_kit import Database, start_background
from platform_kit.events import write
from platform_kit.instance import Instance
from product.events import EFFECTS

pytestmark = pytest.mark.integration


def shown(app, name):
    """The lines of a metric on an instance's page."""
    page = Instance.of(app).metrics.exposition().decode()
    return [line for line in page.splitlines() if line.startswith(f"{name}{{")]


def refused(app):
    """How many attempts ended with another answer than 2xx, as operators see it."""
    (line,) = [each for each in shown(app, "outbox_deliveries_total") if "refused" in each]
    return float(line.rpartition(" ")[2])


def tell(books, *, version=1, data=None):
    """Write an event into order's outbox, past the service."""
    with books.databases["order"].begin() as connection:
        write(
            connection,
            outbox,
            type_="OrderCancelled",
            version=version,
            key=str(uuid4()),
            data=data or {},
        )


def test_the_stock_comes_back_once_when_product_is_up_again(
    front, product, instance, customer, books, tea
):
    """The customer was answered while it was down, and the event waited."""
    order = instance()
    ada = customer(order)
    order_id = ada.place(tea)
    front.product = None
    with start_background(order):
        answer = ada.cancel(order_id)
        assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
        until(lambda: refused(order) >= 1)
        assert (books.stock(tea), books.received(), books.waiting()) == (98, 0, 1)

        front.product = product.wsgi_app
        until(lambda: books.waiting() == 0)

    assert (books.stock(tea), books.received(), books.unsettled()) == (100, 1, 0)
    assert ada.cancel(order_id).json["status"] == "cancelled"
    assert books.waiting() == 0


def test_the_same_event_twenty_times_at_once_is_one_release(
    product, instance, customer, books, tea
):
    """Delivered by relays that know nothing of each other."""
    ada = customer(instance())
    order_id = ada.place(tea, 30)
    event = {
        "id": str(uuid4()),
        "type": "OrderCancelled",
        "version": 1,
        "key": order_id,
        "at": "2026-01-01T00:00:00Z",
        "data": {"order_id": order_id, "reservation_id": order_id, "items": []},
    }

    def deliver(_):
        answer = product.test_client().post("/api/v1/events", json=event)
        return answer.status_code, answer.json["outcome"]

    with ThreadPoolExecutor(20) as threads:
        answers = sorted(threads.map(deliver, range(20)))

    assert answers == [(200, "applied")] + [(200, "repeated")] * 19
    assert (books.stock(tea), books.received()) == (100, 1)


def test_two_instances_deliver_at_once_and_nothing_is_doubled(
    front, product, instance, customer, books, tea
):
    """Each event is sent by one of them, and has its effect."""
    first, second = instance(), instance()
    ada = customer(first)
    for order_id in [ada.place(tea, 1) for _ in range(30)]:
        ada.cancel(order_id)

    with start_background(first), start_background(second):
        until(lambda: books.waiting() == 0)

    assert (books.stock(tea), books.received(), books.unsettled()) == (100, 30, 0)
    assert front.events == 30


def test_a_relay_killed_between_delivery_and_mark_is_made_up_for(
    front, product, instance, customer, urls, books, tea, tmp_path
):
    """The process is gone before it reads the answer; the next one delivers again, to no effect."""
    ada = customer(instance())
    ada.cancel(ada.place(tea))
    environment = {"ORDER_DATABASE_URL": urls["order"], "ORDER_ROUTER_URL": front.url}
    with Process("order", tmp_path / "order.log", **environment) as order:
        front.after_event = order.kill
        until(lambda: books.received() == 1)
        until(lambda: not order.is_alive())
        front.after_event = None
        assert books.waiting() == 1

        books.hurry()
        order.start()
        until(lambda: books.waiting() == 0)

    assert front.events == 2
    assert (books.stock(tea), books.received(), books.unsettled()) == (100, 1, 0)


def test_an_event_of_a_later_shape_is_skipped_and_goes(front, product, instance, books):
    """An older product confirms it, so nobody sends it for ever; it is counted."""
    tell(books, version=2, data={"unheard": "of"})
    with start_background(instance()):
        until(lambda: books.waiting() == 0)

    assert (front.events, books.received()) == (1, 0)
    (line,) = [each for each in shown(product, "inbox_events_total") if 'outcome="skipped"' in each]
    assert line.endswith(" 1.0")
    assert ("OrderCancelled", 2) not in EFFECTS


def test_a_poison_event_does_not_block_the_others(front, product, instance, customer, books, tea):
    """Product refuses it each time; those behind it go by."""
    order = instance()
    ada = customer(order)
    tell(books, data={"reservation_id": "none"})
    for order_id in [ada.place(tea, 1) for _ in range(5)]:
        ada.cancel(order_id)

    with start_background(order):
        until(lambda: books.waiting() == 1)

    assert (books.stock(tea), books.received()) == (100, 5)
    assert refused(order) >= 1


def test_both_sides_are_told_apart_by_their_databases(urls):
    """The control of the stage: order has no inbox, product no outbox."""
    found = {}
    for service, url in urls.items():
        database = Database(url)
        with database.connect() as connection:
            query = "SELECT to_regclass('inbox')::text, to_regclass('outbox')::text"
            found[service] = tuple(connection.exec_driver_sql(query).one())
        database.dispose()

    assert found == {"order": (None, "outbox"), "product": ("inbox", None)}
