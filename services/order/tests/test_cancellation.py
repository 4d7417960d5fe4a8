"""Cancelling: the stock comes back once, whatever happens on the way."""

from datetime import datetime
from uuid import UUID, uuid4

import pytest
from sqlalchemy import update

from order import cancellation
from order.orders import CustomerId, Status, columns
from order.tables import orders

pytestmark = pytest.mark.integration

ADA = CustomerId("ada")


@pytest.fixture
def order_id(ada, tea):
    """An order of ada's for two of a hundred."""
    return ada.place({tea: 2}).json["id"]


def test_cancelling_answers_the_cancelled_order(ada, shop, tea, order_id):
    """Nothing of it changed but the status and when it did, and the stock is back."""
    placed = ada.get(f"orders/{order_id}").json

    answer = ada.cancel(order_id)

    assert answer.status_code == 200
    assert placed["cancelled_at"] is None
    now = {"status": "cancelled", "cancelled_at": answer.json["cancelled_at"]}
    assert answer.json == {**placed, **now}
    assert datetime.fromisoformat(now["cancelled_at"]) > datetime.fromisoformat(
        placed["created_at"]
    )
    assert ada.get(f"orders/{order_id}").json == answer.json
    assert (shop.stock[tea], shop.held) == (100, {})


def test_what_an_older_release_cancelled_is_cancelled_at_an_unknown_time(ada, database, order_id):
    """It writes the status only."""
    with database.begin() as connection:
        connection.execute(update(orders).values(**columns(Status.CANCELLED)))

    found = ada.get(f"orders/{order_id}").json

    assert (found["status"], found["cancelled_at"]) == ("cancelled", None)


def test_cancelling_again_changes_nothing(ada, router, shop, tea, order_id):
    """The same answer, and product is not even asked."""
    first = ada.cancel(order_id)
    router.calls.clear()

    second = ada.cancel(order_id)

    assert (second.status_code, second.json) == (200, first.json)
    assert (router.calls, shop.stock[tea]) == ([], 100)


def test_cancelling_ten_times_at_once_gives_the_stock_back_once(
    customer, books, shop, tea, order_id, together
):
    """All ten are told that it is cancelled."""
    askers = [customer("ada") for _ in range(10)]

    answers = together([lambda each=each: each.cancel(order_id) for each in askers])

    assert {(answer.status_code, answer.json["status"]) for answer in answers} == {
        (200, "cancelled")
    }
    assert books.statuses() == ["cancelled"]
    assert shop.stock[tea] == 100


def test_cancelling_leaves_other_orders_alone(ada, bob, shop, tea, order_id):
    """The customer's own others, and other people's."""
    others = [ada.place({tea: 3}).json, bob.place({tea: 4}).json]

    ada.cancel(order_id)

    assert {order["id"] for order in others} == set(shop.held)
    assert shop.stock[tea] == 93
    assert bob.orders() == [others[1]]


def test_somebody_elses_order_cannot_be_cancelled(bob, books, shop, tea, order_id):
    """404, as if there were none."""
    answer = bob.cancel(order_id)

    assert (answer.status_code, answer.json["code"]) == (404, "order_missing")
    assert (books.statuses(), shop.stock[tea]) == (["placed"], 98)


def test_an_order_that_there_is_not_cannot_be_cancelled(ada):
    """The same 404."""
    answer = ada.cancel(str(uuid4()))

    assert (answer.status_code, answer.json["code"]) == (404, "order_missing")


@pytest.mark.parametrize(
    "fault", [(500, None), (404, b"404 page not found\n"), (200, {}), "dropped", "lost"]
)
def test_a_release_that_fails_is_made_up_for(
    ada, router, books, shop, tea, sweeper, order_id, fault
):
    """503, cancelling for a while, and cancelled by the sweeper."""
    router.faults["DELETE"].append(fault)

    answer = ada.cancel(order_id)

    assert (answer.status_code, answer.json["code"]) == (503, "product_unavailable")
    assert int(answer.headers["Retry-After"]) >= 1
    assert ada.get(f"orders/{order_id}").json["status"] == "cancelling"
    books.age()
    assert sweeper.sweep() == 1
    assert ada.get(f"orders/{order_id}").json["status"] == "cancelled"
    assert shop.stock[tea] == 100


def test_a_release_that_times_out_is_made_up_for(impatient, ada, router, shop, tea, order_id):
    """By the customer who asks again, too."""
    router.faults["DELETE"].append("slow")
    assert ada.cancel(order_id).status_code == 503

    answer = ada.cancel(order_id)

    assert (answer.status_code, answer.json["status"]) == (200, "cancelled")
    assert shop.stock[tea] == 100


def test_death_before_the_release_is_made_up_for(
    ada, database, books, shop, tea, sweeper, order_id
):
    """The customer has decided: the stock comes back, without being asked again."""
    assert cancellation.begin(database, ADA, order_id=UUID(order_id))
    assert shop.stock[tea] == 98

    books.age()
    assert sweeper.sweep() == 1

    assert ada.get(f"orders/{order_id}").json["status"] == "cancelled"
    assert shop.stock[tea] == 100


def test_an_old_order_that_is_being_cancelled_is_left_alone(
    database, books, router, sweeper, order_id
):
    """Its age counts from the cancelling on: somebody is at it."""
    books.age()
    cancellation.begin(database, ADA, order_id=UUID(order_id))
    router.calls.clear()

    assert sweeper.sweep() == 0
    assert (books.statuses(), router.calls) == (["cancelling"], [])


def test_death_after_the_release_is_made_up_for(
    ada, database, stock, books, shop, tea, sweeper, order_id
):
    """The second release gives nothing more back."""
    cancellation.begin(database, ADA, order_id=UUID(order_id))
    stock.release(order_id)

    books.age()
    assert sweeper.sweep() == 1

    assert ada.get(f"orders/{order_id}").json["status"] == "cancelled"
    assert shop.stock[tea] == 100


def test_a_pending_order_cannot_be_cancelled(ada, router, books, shop, tea):
    """Nobody sees it, its customer neither; it is placed as if nothing had been asked."""
    seen = []

    def cancel_it():
        order_id = router.calls[-1][1].rpartition("/")[2]
        seen.append(cancellation.begin(books.database, ADA, order_id=UUID(order_id)))

    router.faults["PUT"].append(cancel_it)

    assert ada.place({tea: 2}).json["status"] == "placed"
    assert seen == [False]
    assert (books.statuses(), shop.stock[tea]) == (["placed"], 98)
