"""Cancelling a part of an order: the rest stands, and the stock comes back once."""

from uuid import UUID, uuid4

import pytest
from sqlalchemy import text, update

from order.orders import Status, columns
from order.tables import orders

pytestmark = pytest.mark.integration


@pytest.fixture
def order_id(ada, tea, cup):
    """An order of ada's for five of a hundred, and two of five."""
    return ada.place({tea: 5, cup: 2}, key="placed").json["id"]


def quantities(answer):
    """{product: quantity} of an answered order."""
    return {item["product_id"]: item["quantity"] for item in answer.json["items"]}


def test_what_is_left_is_the_order(ada, books, router, shop, tea, cup, order_id):
    """Its items and its total; product is not even asked."""
    placed = ada.get(f"orders/{order_id}").json
    router.calls.clear()

    answer = ada.cancel_items(order_id, {tea: 2, cup: 2})

    left = {"items": [{"product_id": tea, "quantity": 3, "unit_price": "4.50"}], "total": "13.50"}
    assert (answer.status_code, answer.json) == (200, {**placed, **left})
    assert ada.get(f"orders/{order_id}").json == answer.json
    assert ada.orders() == [answer.json]
    assert (router.calls, shop.stock[tea]) == ([], 95)
    assert (books.statuses(), books.count_events()) == (["placed"], 1)


@pytest.mark.parametrize("api", ["v2", "v3"])
def test_the_newer_versions_say_it_in_cents(preview, ada, tea, order_id, api):
    """As they say every order."""
    answer = ada.cancel_items(order_id, {tea: 4}, api=api)

    assert (answer.status_code, answer.json["total_cents"]) == (200, 450 + 2 * 800)


def test_product_is_told_what_was_cancelled(ada, books, router, relay, shop, tea, cup, order_id):
    """That is given back, and the rest is held; the order is as settled as before."""
    ada.cancel_items(order_id, {cup: 1, tea: 2})

    assert relay.deliver() == 1

    (event,) = shop.events
    assert (event["type"], event["version"]) == ("OrderCancelled", 1)
    assert event["data"] == {
        "order_id": order_id,
        "reservation_id": None,
        "part_of": order_id,
        "items": [{"product_id": tea, "quantity": 2}, {"product_id": cup, "quantity": 1}],
    }
    assert (shop.stock[tea], shop.stock[cup], shop.held[order_id]) == (97, 4, {tea: 3, cup: 1})
    assert (books.statuses(), books.count_events()) == (["placed"], 0)


def test_the_same_request_again_has_no_effect(ada, books, relay, shop, tea, order_id):
    """The order as it is now, and a header that says so."""
    first = ada.cancel_items(order_id, {tea: 2}, key="mine")
    second = ada.cancel_items(order_id, {tea: 2}, key="mine")
    relay.deliver()

    assert "Idempotency-Replayed" not in first.headers
    assert second.headers["Idempotency-Replayed"] == "true"
    assert (second.status_code, second.json) == (200, first.json)
    assert (len(shop.events), books.count_events(), shop.stock[tea]) == (1, 0, 97)


def test_another_key_cancels_as_much_again(ada, relay, shop, tea, cup, order_id):
    """Two of five, and two of what is left."""
    for key in ("one", "two"):
        answer = ada.cancel_items(order_id, {tea: 2}, key=key)
    relay.deliver()

    assert quantities(answer) == {tea: 1, cup: 2}
    assert shop.stock[tea] == 99


@pytest.mark.parametrize("others", [{0: 1}, {1: 2}, {0: 2, 1: 1}])
def test_the_same_key_with_other_items_is_refused(ada, books, tea, cup, order_id, others):
    """422, and nothing more is cancelled."""
    first = ada.cancel_items(order_id, {tea: 2}, key="mine")

    answer = ada.cancel_items(
        order_id, {(tea, cup)[each]: count for each, count in others.items()}, key="mine"
    )

    assert (answer.status_code, answer.json["code"]) == (422, "key_reused")
    assert ada.get(f"orders/{order_id}").json == first.json
    assert books.count_events() == 1


def test_a_key_is_an_orders_own(ada, tea, cup, order_id):
    """That of its placing, or of another order's part, stands for nothing here."""
    other = ada.place({tea: 3}).json["id"]

    answers = [ada.cancel_items(each, {tea: 1}, key="placed") for each in (order_id, other)]

    assert [quantities(answer) for answer in answers] == [{tea: 4, cup: 2}, {tea: 2}]


@pytest.mark.parametrize("key", ["", "a b", "k" * 129])
def test_without_a_usable_key_nothing_is_cancelled(ada, books, tea, order_id, key):
    """400: it could not be sent again."""
    answer = ada.send_cancelled(order_id, [{"product_id": tea, "quantity": 1}], key=key)

    assert (answer.status_code, answer.json["code"]) == (400, "key_invalid")
    assert books.count_events() == 0


@pytest.mark.parametrize("steps", [1, 2])
def test_all_that_is_left_is_the_whole_order(ada, books, relay, shop, tea, cup, order_id, steps):
    """It is cancelled, keeps what it had last, and product releases what it holds."""
    if steps == 2:
        ada.cancel_items(order_id, {tea: 4})
    rest = {tea: 5 if steps == 1 else 1, cup: 2}

    answer = ada.cancel_items(order_id, rest, key="last")
    relay.deliver()
    again = ada.cancel_items(order_id, rest, key="last")

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert answer.json["cancelled_at"] is not None
    assert quantities(answer) == rest
    assert (again.status_code, again.json) == (200, answer.json)
    assert (len(shop.events), books.statuses()) == (steps, ["cancelled"])
    assert (shop.stock[tea], shop.stock[cup], shop.held) == (100, 5, {})


def test_cancelling_the_rest_gives_only_the_rest_back(ada, books, relay, shop, tea, cup, order_id):
    """By the route for the whole order; what was cancelled before can be asked for again, to no effect."""
    ada.cancel_items(order_id, {tea: 2}, key="mine")
    relay.deliver()

    answer = ada.cancel(order_id)
    relay.deliver()
    again = ada.cancel_items(order_id, {tea: 2}, key="mine")

    assert (answer.json["status"], quantities(answer)) == ("cancelled", {tea: 3, cup: 2})
    assert (again.status_code, again.json) == (200, answer.json)
    assert shop.events[-1]["data"]["items"] == [
        {"product_id": tea, "quantity": 3},
        {"product_id": cup, "quantity": 2},
    ]
    assert (shop.stock[tea], shop.stock[cup], books.count_events()) == (100, 5, 0)


@pytest.mark.parametrize("status", [Status.CANCELLING, Status.CANCELLED])
def test_of_a_cancelled_order_nothing_can_be_cancelled(ada, database, books, tea, order_id, status):
    """409, also while an older release is cancelling it."""
    with database.begin() as connection:
        connection.execute(update(orders).values(**columns(status)))

    answer = ada.cancel_items(order_id, {tea: 1})

    assert (answer.status_code, answer.json["code"]) == (409, "order_cancelled")
    assert books.count_events() == 0


def test_no_more_than_the_order_has_can_be_cancelled(ada, books, shop, tea, cup, order_id):
    """409 names the product, and nothing of the request is done."""
    pot = shop.add()

    for items, product in (({tea: 6}, tea), ({tea: 1, cup: 3}, cup), ({tea: 1, pot: 1}, pot)):
        answer = ada.cancel_items(order_id, items)
        found = (answer.status_code, answer.json["code"], answer.json["product_id"])
        assert found == (409, "not_in_order", product)

    assert quantities(ada.get(f"orders/{order_id}")) == {tea: 5, cup: 2}
    assert books.count_events() == 0


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        ([{"product_id": 1, "quantity": 1}] * 2, "items"),
        ([{"product_id": each, "quantity": 1} for each in range(1, 22)], "items"),
        ([{"product_id": 1, "quantity": 0}], "items.0.quantity"),
        ([{"product_id": 1, "quantity": "1"}], "items.0.quantity"),
        ([{"product_id": 2**63, "quantity": 1}], "items.0.product_id"),
    ],
)
def test_items_out_of_bounds_are_refused(ada, order_id, items, field):
    """422, naming the field at fault."""
    answer = ada.send_cancelled(order_id, items, key="mine")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_somebody_elses_order_cannot_be_cancelled_in_part(bob, books, tea, order_id):
    """404, as if there were none."""
    answers = [bob.cancel_items(each, {tea: 1}) for each in (order_id, str(uuid4()))]

    assert {(each.status_code, each.json["code"]) for each in answers} == {(404, "order_missing")}
    assert books.count_events() == 0


def test_the_key_of_the_placing_still_stands_for_what_was_placed(
    ada, books, shop, tea, cup, order_id
):
    """A replay tells how the order stands now; other items are refused."""
    left = ada.cancel_items(order_id, {tea: 2, cup: 2}).json

    answer = ada.place({tea: 5, cup: 2}, key="placed")

    assert (answer.status_code, answer.json) == (200, left)
    assert ada.place({tea: 3}, key="placed").json["code"] == "key_reused"
    ada.cancel_items(order_id, {tea: 3})
    assert ada.place({tea: 5, cup: 2}, key="placed").json["status"] == "cancelled"
    assert books.statuses() == ["cancelling"]


@pytest.mark.parametrize("older", ["takes no events", "knows no parts"])
def test_a_product_that_knows_no_parts_loses_none(ada, books, relay, router, shop, tea, cup, older):
    """It refuses, and nothing is released in another way; a newer one takes it. The whole order waits for neither."""
    shop.takes_events, shop.knows_parts = older == "knows no parts", False
    order_id, other = ada.place({tea: 5}).json["id"], ada.place({cup: 2}).json["id"]
    ada.cancel_items(order_id, {tea: 2})
    ada.cancel_items(other, {cup: 1})
    ada.cancel(other)

    assert relay.deliver() == 1
    assert (shop.stock[tea], shop.stock[cup], books.count_events()) == (95, 5, 2)
    assert ("DELETE", f"/product/api/v1/reservations/{order_id}") not in router.calls

    shop.takes_events = shop.knows_parts = True
    books.age()
    assert relay.deliver() == 2
    assert (shop.stock[tea], shop.stock[cup], books.count_events()) == (97, 5, 0)


def test_an_older_release_sees_what_is_left(ada, database, tea, cup, order_id):
    """In the one table that it knows; and when it deletes an order, nothing holds that up."""
    ada.cancel_items(order_id, {tea: 2, cup: 2})

    with database.begin() as connection:
        found = connection.execute(text("SELECT product_id, quantity FROM order_items")).all()
        connection.execute(text("DELETE FROM orders"))
        gone = connection.execute(text("SELECT count(*) FROM cancelled_items")).scalar_one()

    assert (found, gone) == ([(tea, 3)], 0)


def test_one_part_sent_ten_times_at_once_is_cancelled_once(
    customer, books, relay, shop, tea, order_id, together
):
    """All ten are told the same."""
    askers = [customer("ada") for _ in range(10)]

    answers = together(
        [lambda each=each: each.cancel_items(order_id, {tea: 2}, key="mine") for each in askers]
    )

    assert {answer.status_code for answer in answers} == {200}
    assert sum("Idempotency-Replayed" in answer.headers for answer in answers) == 9
    assert all(answer.json == answers[0].json for answer in answers)
    assert relay.deliver() == 1
    assert (shop.stock[tea], books.count_events()) == (97, 0)


def test_many_parts_and_the_whole_at_once_give_back_what_was_ordered(
    customer, books, relay, shop, together
):
    """Each part that was answered is off the order, and product has back what no order has."""
    tea = shop.add(stock=1000)
    ids = [customer("ada").place({tea: 6}).json["id"] for _ in range(6)]
    parts = [
        lambda each=each: customer("ada").cancel_items(each, {tea: 2})
        for each in ids
        for _ in range(4)
    ]
    wholes = [lambda each=each: customer("ada").cancel(each) for each in ids[:2]]

    answers = together([*parts[:12], *wholes, *parts[12:]])
    while books.count_events():
        relay.deliver()

    found = customer("ada").orders()
    assert {answer.status_code for answer in answers} == {200, 409}
    assert {order["status"] for order in found} == {"cancelled"}
    assert {UUID(order["id"]) for order in found} == {*map(UUID, ids)}
    assert (shop.stock[tea], shop.held, books.statuses()) == (1000, {}, ["cancelled"] * 6)
