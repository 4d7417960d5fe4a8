"""Part of an order is cancelled, and the real product gives so much back: once, and whichever release is beside."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from events.stage import until
from werkzeug.wrappers import Response

from order.events import settle
from order.tables import outbox
from platform_kit import Database, ServiceClient, start_background
from platform_kit.events import Relay, read
from product import reservations
from product.app import create as create_product
from product.events import OrderCancelled
from product.reservations import ReservationId

pytestmark = pytest.mark.integration

RELEASES = ["before parts", "before events"]


def give_back_the_whole(connection, event):
    """What a product does that does not know of parts."""
    cancelled = read(event, OrderCancelled)
    reservations.release_in(connection, ReservationId(cancelled.reservation_id))


@pytest.fixture
def older_product(monkeypatch, product):
    """Return a product of an older release on the same database: before parts, or before events too."""

    def older(release):
        with monkeypatch.context() as patch:
            patch.setattr("product.app.EFFECTS", {("OrderCancelled", 1): give_back_the_whole})
            app = create_product()

        def without_events(environ, start_response):
            if environ["PATH_INFO"].endswith("/events"):
                return Response(status=404)(environ, start_response)
            return app.wsgi_app(environ, start_response)

        return app.wsgi_app if release == "before parts" else without_events

    return older


@pytest.fixture
def older_relay(front, urls):
    """The relay of an older order beside: what takes no events it asks to release, whatever the event is."""
    client = ServiceClient(front.url, "product", timeout_seconds=5)
    database = Database(urls["order"])

    def tell(claimed):
        body = claimed.event.model_dump(mode="json")
        answer = client.request("POST", "events", json=body)
        if answer.status_code == 404:
            path = f"reservations/{claimed.event.data['reservation_id']}"
            answer = client.request("DELETE", path)
        return answer.status_code

    yield Relay(database, outbox, tell, settle=settle)
    client.close()
    database.dispose()


def test_a_part_comes_back_and_then_the_rest(product, instance, customer, books, tea):
    """Each once, when product has heard of it."""
    order = instance()
    ada = customer(order)
    order_id = ada.place(tea, 5)
    with start_background(order):
        ada.cancel_items(order_id, {tea: 2}, key="one")
        until(lambda: books.waiting() == 0)
        after_the_part = books.stock(tea)
        ada.cancel_items(order_id, {tea: 2}, key="one")
        ada.cancel(order_id)
        until(lambda: books.waiting() == 0)

    assert after_the_part == 97
    assert (books.stock(tea), books.received(), books.unsettled()) == (100, 2, 0)


@pytest.fixture
def partly_cancelled(instance, customer, tea):
    """An instance of order, with an order for five of which two were cancelled; product does not know yet."""
    order = instance()
    ada = customer(order)
    ada.cancel_items(ada.place(tea, 5), {tea: 2})
    return order


@pytest.mark.parametrize("release", RELEASES)
def test_an_older_product_does_not_lose_a_part(
    front, product, older_product, partly_cancelled, books, tea, release
):
    """It comes again until a newer product serves, which gives back what was cancelled."""
    front.product = older_product(release)
    with start_background(partly_cancelled):
        until(lambda: front.events >= 2)
        assert (books.waiting(), books.stock(tea)) == (1, 95)
        front.product = product.wsgi_app
        until(lambda: books.waiting() == 0)

    assert (books.stock(tea), books.received()) == (97, 1)


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.usefixtures("partly_cancelled")
def test_nor_does_it_where_an_older_order_delivers(
    front, product, older_product, older_relay, books, tea, release
):
    """Both slots have relays, and take events from one outbox."""
    front.product = older_product(release)
    for _ in range(2):
        assert older_relay.deliver() == 0
        books.hurry()
    assert (books.waiting(), books.stock(tea)) == (1, 95)

    front.product = product.wsgi_app
    assert older_relay.deliver() == 1

    assert (books.stock(tea), books.received()) == (97, 1)


@pytest.mark.parametrize("heard", [True, False], ids=["of the part first", "of the whole first"])
def test_an_older_order_that_cancels_the_whole_gives_only_the_rest_back(
    product, older_relay, instance, customer, books, tea, heard
):
    """It asks product to release the reservation, as 1.1.0 does: product knows what is left of it."""
    ada = customer(instance())
    order_id = ada.place(tea, 5)
    ada.cancel_items(order_id, {tea: 2})
    if heard:
        assert older_relay.deliver() == 1
    answer = product.test_client().delete(f"/api/v1/reservations/{order_id}")
    older_relay.deliver()

    assert answer.status_code == 204
    assert (books.stock(tea), books.waiting(), books.received()) == (100, 0, 1)


def test_the_stock_balances_while_everybody_cancels(product, instance, customer, books, tea):
    """Two instances deliver while parts, wholes and new orders come at once: what is not in an order is in stock."""
    first, second = instance(), instance()
    ada = customer(first)
    ids = [ada.place(tea, 5) for _ in range(8)]

    def work(number):
        order_id = ids[number % 8]
        match number // 8:
            case 0 | 1 | 2:
                ada.cancel_items(order_id, {tea: 1})
            case 3 if number % 2:
                ada.cancel(order_id)
            case _:
                ada.place(tea, 1)

    with start_background(first), start_background(second):
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(36)))
        until(lambda: books.waiting() == 0)

    assert books.stock(tea) + books.ordered(tea) == 100
    assert books.ordered(tea) == 4 * 2 + 4 + 4
    assert books.reserved(tea) == books.ordered(tea)
