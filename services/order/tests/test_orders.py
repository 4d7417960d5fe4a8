"""Reading and listing: one's own orders, and nobody else's."""

from uuid import uuid4

import pytest
from sqlalchemy import update

from order import orders, placement, tables
from order.orders import CustomerId, Status

pytestmark = pytest.mark.integration


def pages(customer, limit):
    """Follow next_after to the end, and return the ids of each page."""
    found, query = [], f"limit={limit}"
    while query:
        page = customer.get(f"orders?{query}").json
        found.append([item["id"] for item in page["items"]])
        query = page["next_after"] and f"limit={limit}&after={page['next_after']}"
    return found


def test_somebody_elses_order_is_missing(ada, bob, tea):
    """404, the same as for an order that there is not."""
    order_id = ada.place({tea: 1}).json["id"]

    theirs, nobodys = bob.get(f"orders/{order_id}"), bob.get(f"orders/{uuid4()}")

    assert (theirs.status_code, nobodys.status_code) == (404, 404)
    assert theirs.mimetype == "application/problem+json"
    assert theirs.json["code"] == nobodys.json["code"] == "order_missing"
    assert ada.get(f"orders/{order_id}").status_code == 200


def test_a_list_has_ones_own_orders_only(ada, bob, tea):
    """Each customer sees their own."""
    mine, theirs = ada.place({tea: 1}).json, bob.place({tea: 2}).json

    assert (ada.orders(), bob.orders()) == ([mine], [theirs])


def test_a_customer_without_orders_has_an_empty_list(ada):
    """No orders is no error."""
    answer = ada.get("orders")

    assert answer.status_code == 200
    assert answer.json == {"items": [], "next_after": None}


@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 4), (2, [2, 2]), (3, [3, 1]), (4, [4])])
def test_following_the_pages_shows_every_order_once(ada, bob, tea, cup, limit, sizes):
    """The newest first, whatever others order in between, however many items an order has."""
    ids = []
    for _ in range(4):
        ids.append(ada.place({tea: 1, cup: 1}).json["id"])
        bob.place({tea: 1})

    found = pages(ada, limit)

    assert [len(page) for page in found] == sizes
    assert [order_id for page in found for order_id in page] == ids[::-1]


def test_a_page_holds_twenty_unless_told_otherwise(ada, shop):
    """The default limit."""
    product = shop.add(stock=100)
    ids = [ada.place({product: 1}).json["id"] for _ in range(21)]

    page = ada.get("orders").json

    assert [item["id"] for item in page["items"]] == ids[:0:-1]
    assert page["next_after"] == ids[1]


def test_after_an_id_that_is_not_the_customers_there_is_nothing(ada, bob, tea):
    """It tells nothing about other people's orders, not even when they were placed."""
    ada.place({tea: 1})
    theirs = bob.place({tea: 1}).json["id"]

    for after in (theirs, str(uuid4())):
        assert ada.get(f"orders?after={after}").json == {"items": [], "next_after": None}


@pytest.mark.parametrize("state", ["pending", "releasing"])
def test_an_order_that_is_not_placed_is_never_seen(ada, database, stock, purchase, tea, state):
    """Neither in the list nor by its id, nor can it be cancelled."""
    wanted = purchase({tea: 1})
    begun = placement.begin(database, wanted, placement._priced(stock, wanted))
    if state == "releasing":
        placement.abandon(database, begun.id)

    assert ada.orders() == []
    assert ada.get(f"orders/{begun.id}").status_code == 404
    assert ada.cancel(begun.id).status_code == 404


@pytest.mark.parametrize("status", Status)
def test_what_is_shown_is_what_is_visible(ada, database, tea, status):
    """The database's condition and the code's set are one."""
    ada.place({tea: 1})
    with database.begin() as connection:
        connection.execute(update(tables.orders).values(**orders.columns(status)))

    assert bool(ada.orders()) is (status in orders.VISIBLE)


def test_a_page_is_read_from_the_index_of_what_is_shown(database, plan):
    """Its reader meets no order that is still pending, or never became one."""
    first = plan(lambda: orders.page(database, CustomerId("ada"), after=None, limit=20))

    assert "orders_shown" in first
