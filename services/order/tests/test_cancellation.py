"""Cancelling: the order is cancelled at once, and the stock comes back once, whatever happens on the way."""

from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from order.orders import Status, columns
from order.tables import orders
from platform_kit import start_background

pytestmark = pytest.mark.integration


@pytest.fixture
def order_id(ada, tea):
    """An order of ada's for two of a hundred."""
    return ada.place({tea: 2}).json["id"]


@pytest.fixture
def cancelling(database, order_id):
    """As a release before 1.2.0 leaves an order that it cannot have released."""

    def leave():
        with database.begin() as connection:
            connection.execute(update(orders).values(**columns(Status.CANCELLING)))

    return leave


def test_cancelling_answers_the_cancelled_order(ada, books, router, shop, tea, order_id):
    """Nothing of it changed but the status and when it did; product is not even asked."""
    placed = ada.get(f"orders/{order_id}").json
    router.calls.clear()

    answer = ada.cancel(order_id)

    assert answer.status_code == 200
    assert placed["cancelled_at"] is None
    now = {"status": "cancelled", "cancelled_at": answer.json["cancelled_at"]}
    assert answer.json == {**placed, **now}
    assert datetime.fromisoformat(now["cancelled_at"]) > datetime.fromisoformat(
        placed["created_at"]
    )
    assert ada.get(f"orders/{order_id}").json == answer.json
    assert (router.calls, shop.stock[tea]) == ([], 98)
    assert (books.statuses(), books.count_events()) == (["cancelling"], 1)


def test_product_is_told_what_was_cancelled(ada, books, router, relay, shop, tea, order_id):
    """With the ids, the items, and the id and the trace of the request; then the order is settled."""
    trace_id = "c" * 32
    headers = {"traceparent": f"00-{trace_id}-{'d' * 16}-01", "X-Request-Id": "trace-me"}
    ada.cancel(order_id, **headers)

    assert relay.deliver() == 1

    (event,) = shop.events
    assert (event["type"], event["version"], event["key"]) == ("OrderCancelled", 1, order_id)
    assert event["data"] == {
        "order_id": order_id,
        "reservation_id": order_id,
        "items": [{"product_id": tea, "quantity": 2}],
    }
    assert router.calls[-1] == ("POST", "/product/api/v1/events")
    assert router.request_ids[-1] == "trace-me"
    assert router.traces[-1].split("-")[1] == trace_id
    assert (books.statuses(), books.count_events()) == (["cancelled"], 0)
    assert (shop.stock[tea], shop.held) == (100, {})


def test_what_an_older_release_cancelled_is_cancelled_at_an_unknown_time(ada, database, order_id):
    """It writes the status only."""
    with database.begin() as connection:
        connection.execute(update(orders).values(**columns(Status.CANCELLED)))

    found = ada.get(f"orders/{order_id}").json

    assert (found["status"], found["cancelled_at"]) == ("cancelled", None)


@pytest.mark.parametrize("told", [False, True])
def test_cancelling_again_changes_nothing(ada, books, relay, shop, tea, order_id, told):
    """The same answer, and no second event, whether product knows already or not."""
    first = ada.cancel(order_id)
    if told:
        relay.deliver()

    second = ada.cancel(order_id)
    relay.deliver()

    assert (second.status_code, second.json) == (200, first.json)
    assert (len(shop.events), books.count_events(), shop.stock[tea]) == (1, 0, 100)


def test_cancelling_ten_times_at_once_writes_one_event(
    customer, books, relay, shop, tea, order_id, together
):
    """All ten are told that it is cancelled."""
    askers = [customer("ada") for _ in range(10)]

    answers = together([lambda each=each: each.cancel(order_id) for each in askers])

    assert {(answer.status_code, answer.json["status"]) for answer in answers} == {
        (200, "cancelled")
    }
    assert books.count_events() == 1
    assert relay.deliver() == 1
    assert (books.statuses(), shop.stock[tea]) == (["cancelled"], 100)


def test_cancelling_leaves_other_orders_alone(ada, bob, relay, shop, tea, order_id):
    """The customer's own others, and other people's."""
    others = [ada.place({tea: 3}).json, bob.place({tea: 4}).json]

    ada.cancel(order_id)
    relay.deliver()

    assert {order["id"] for order in others} == set(shop.held)
    assert shop.stock[tea] == 93
    assert bob.orders() == [others[1]]


def test_somebody_elses_order_cannot_be_cancelled(bob, books, shop, tea, order_id):
    """404, as if there were none."""
    answer = bob.cancel(order_id)

    assert (answer.status_code, answer.json["code"]) == (404, "order_missing")
    assert (books.statuses(), books.count_events(), shop.stock[tea]) == (["placed"], 0, 98)


def test_an_order_that_there_is_not_cannot_be_cancelled(ada):
    """The same 404."""
    answer = ada.cancel(str(uuid4()))

    assert (answer.status_code, answer.json["code"]) == (404, "order_missing")


def test_a_dead_product_does_not_keep_anybody_from_cancelling(ada, books, router, relay, order_id):
    """200 at once; the event waits."""
    router.stop()

    answer = ada.cancel(order_id)

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert relay.deliver() == 0
    assert (books.statuses(), books.count_events()) == (["cancelling"], 1)
    assert ada.get(f"orders/{order_id}").json == answer.json


@pytest.mark.parametrize(
    "fault",
    [
        (500, None),
        (503, b"no server"),
        (422, {}),
        (302, None),
        (200, b"<h1>Welcome</h1>"),
        (200, {}),
        (204, None),
        "dropped",
        "lost",
    ],
)
def test_what_product_does_not_confirm_is_told_again(
    ada, router, books, relay, shop, tea, order_id, fault
):
    """Until it does; the customer has been answered long before."""
    ada.cancel(order_id)
    router.faults["POST"].append(fault)

    assert relay.deliver() == 0
    assert books.count_events() == 1
    books.age()
    assert relay.deliver() == 1

    assert (books.statuses(), books.count_events(), shop.stock[tea]) == (["cancelled"], 0, 100)


def test_a_product_that_takes_no_events_is_asked_to_release(
    ada, router, books, relay, shop, tea, order_id
):
    """One before 1.3.0: neither of the two has to be rolled out first."""
    shop.takes_events = False
    ada.cancel(order_id)

    assert relay.deliver() == 1

    assert router.calls[-1] == ("DELETE", f"/product/api/v1/reservations/{order_id}")
    assert (books.statuses(), books.count_events(), shop.stock[tea]) == (["cancelled"], 0, 100)


@pytest.mark.parametrize("then", [(404, b"404 page not found\n"), (200, {}), (500, None)])
def test_a_router_without_a_product_has_confirmed_nothing(
    ada, router, books, relay, order_id, then
):
    """It says 404 to everything, or has somebody else answer."""
    ada.cancel(order_id)
    router.faults["POST"].append((404, b"404 page not found\n"))
    router.faults["DELETE"].append(then)

    assert relay.deliver() == 0
    assert (books.statuses(), books.count_events()) == (["cancelling"], 1)


def test_what_an_older_release_left_cancelling_is_taken_over_by_the_sweeper(
    ada, books, relay, sweeper, shop, tea, order_id, cancelling
):
    """Product is told in the new way, which needs no product to be there."""
    cancelling()
    books.age()

    assert sweeper.sweep() == 1
    assert (books.count_events(), shop.stock[tea]) == (1, 98)
    assert sweeper.sweep() == 0
    relay.deliver()

    found = ada.get(f"orders/{order_id}").json
    assert (found["status"], found["cancelled_at"] is None) == ("cancelled", False)
    assert (books.statuses(), shop.stock[tea]) == (["cancelled"], 100)


def test_what_an_older_release_is_cancelling_is_cancelled_by_who_asks_again(
    ada, books, relay, shop, tea, order_id, cancelling
):
    """Without waiting for the sweeper."""
    cancelling()
    assert ada.get(f"orders/{order_id}").json["status"] == "cancelling"

    answer = ada.cancel(order_id)

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert relay.deliver() == 1
    assert (books.statuses(), shop.stock[tea]) == (["cancelled"], 100)


def test_what_waits_to_be_told_is_left_over_for_the_release_before(ada, database, books, order_id):
    """It has no relay: what its sweeper looks for has to hold of the order until product knows."""
    ada.cancel(order_id)
    books.age()

    found = "SELECT id FROM orders WHERE NOT settled AND touched_at < now() - interval '10 s'"
    with database.connect() as connection:
        assert list(connection.exec_driver_sql(found).scalars()) == [UUID(order_id)]


def test_a_pending_order_cannot_be_cancelled(ada, router, books, shop, customer, tea):
    """Nobody sees it, its customer neither; it is placed as if nothing had been asked."""
    seen = []

    def cancel_it():
        order_id = router.calls[-1][1].rpartition("/")[2]
        seen.append(customer("ada").cancel(order_id).status_code)

    router.faults["PUT"].append(cancel_it)

    assert ada.place({tea: 2}).json["status"] == "placed"
    assert seen == [404]
    assert (books.statuses(), books.count_events(), shop.stock[tea]) == (["placed"], 0, 98)


def test_an_instance_that_serves_tells_product(ada, app, books, shop, tea, until, order_id):
    """By itself, from its start on, and not before."""
    ada.cancel(order_id)
    assert books.count_events() == 1

    with start_background(app):
        until(lambda: books.count_events() == 0)

    assert (books.statuses(), shop.stock[tea]) == (["cancelled"], 100)
