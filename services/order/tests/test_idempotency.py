"""Idempotency keys: one key is one order of a customer's, however often it is sent."""

import threading
import time

import pytest

from order import placement
from platform_kit import deadline

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("either_way")]


def test_the_same_request_again_answers_the_same_order(ada, books, shop, tea):
    """200 instead of 201, and a header that says so."""
    first = ada.place({tea: 2}, key="mine")
    second = ada.place({tea: 2}, key="mine")

    assert (first.status_code, second.status_code) == (201, 200)
    assert second.headers["Idempotency-Replayed"] == "true"
    assert second.json == first.json
    assert (books.statuses(), shop.stock[tea]) == (["placed"], 98)


def test_a_replay_does_not_ask_product(ada, router, tea):
    """It works while product is away, and costs it nothing."""
    first = ada.place({tea: 2}, key="mine")
    router.calls.clear()
    router.stop()

    second = ada.place({tea: 2}, key="mine")

    assert (second.status_code, second.json) == (200, first.json)
    assert router.calls == []


def test_a_replay_keeps_the_price_of_the_first_time(ada, shop, tea):
    """The same answer, although the shop has raised its prices."""
    first = ada.place({tea: 2}, key="mine")
    shop.prices[tea] = "99.00"

    assert ada.place({tea: 2}, key="mine").json == first.json


def test_the_items_may_come_in_another_order(ada, tea, cup):
    """Which is named first means nothing."""
    first = ada.place({tea: 2, cup: 1}, key="mine")
    second = ada.place({cup: 1, tea: 2}, key="mine")

    assert (second.status_code, second.json) == (200, first.json)


@pytest.mark.parametrize("case", ["other quantity", "other product", "fewer", "more"])
def test_the_same_key_with_other_items_is_refused(ada, books, shop, tea, cup, case):
    """422, and the first order stands as it was."""
    pot = shop.add()
    first = ada.place({tea: 2, cup: 1}, key="mine")
    others = {
        "other quantity": {tea: 1, cup: 1},
        "other product": {tea: 2, pot: 1},
        "fewer": {tea: 2},
        "more": {tea: 2, cup: 1, pot: 1},
    }

    answer = ada.place(others[case], key="mine")

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "key_reused"
    assert books.statuses() == ["placed"]
    assert ada.orders() == [first.json]


def test_two_customers_may_have_the_same_key(ada, bob, shop, tea):
    """A key is its customer's own; nobody learns of somebody else's order."""
    mine, theirs = ada.place({tea: 2}, key="same"), bob.place({tea: 2}, key="same")

    assert (mine.status_code, theirs.status_code) == (201, 201)
    assert mine.json["id"] != theirs.json["id"]
    assert shop.stock[tea] == 96


def test_another_key_is_another_order(ada, books, shop, tea):
    """The same items can be wanted twice."""
    ada.place({tea: 2}, key="one")
    ada.place({tea: 2}, key="two")

    assert (books.statuses(), shop.stock[tea]) == (["placed", "placed"], 96)


def test_a_cancelled_orders_key_is_still_its_own(ada, shop, tea):
    """A replay tells how the order stands now, and places nothing."""
    order_id = ada.place({tea: 2}, key="mine").json["id"]
    cancelled = ada.cancel(order_id).json

    answer = ada.place({tea: 2}, key="mine")

    assert (answer.status_code, answer.json) == (200, cancelled)
    assert shop.stock[tea] == 98  # product is yet to be told


def test_one_key_sent_twenty_times_at_once_is_one_order(customer, books, shop, tea, together):
    """One places it, and all twenty get it."""
    senders = [customer("ada") for _ in range(20)]

    answers = together([lambda each=each: each.place({tea: 2}, key="mine") for each in senders])

    assert sorted(answer.status_code for answer in answers) == [200] * 19 + [201]
    assert all(answer.json == answers[0].json for answer in answers)
    assert sum(answer.headers.get("Idempotency-Replayed") == "true" for answer in answers) == 19
    assert books.statuses() == ["placed"]
    assert (shop.stock[tea], len(shop.held)) == (98, 1)


def test_one_key_sent_twenty_times_at_once_meets_failures_and_is_still_one_order(
    customer, books, router, shop, tea, together
):
    """Who waited for an attempt that failed makes the next one."""
    router.faults["PUT"] += ["lost", (500, None), "dropped"]
    senders = [customer("ada") for _ in range(20)]

    answers = together([lambda each=each: each.place({tea: 2}, key="mine") for each in senders])

    statuses = sorted(answer.status_code for answer in answers)
    assert statuses == [200] * 16 + [201] + [503] * 3
    assert books.statuses() == ["placed"]
    assert (shop.stock[tea], len(shop.held)) == (98, 1)


def test_twenty_at_once_for_what_is_not_there_are_all_refused(customer, books, shop, cup, together):
    """Each gets the reason, not a time-out."""
    senders = [customer("ada") for _ in range(20)]

    answers = together([lambda each=each: each.place({cup: 6}, key="mine") for each in senders])

    assert {(answer.status_code, answer.json["code"]) for answer in answers} == {
        (409, "out_of_stock")
    }
    assert (books.statuses(), shop.held) == ([], {})


def test_who_asks_while_the_order_is_being_placed_waits_for_it(customer, router, shop, tea, until):
    """And gets the order, not an error."""
    router.faults["PUT"].append("late")
    answers = []
    first = threading.Thread(
        target=lambda: answers.append(customer("ada").place({tea: 2}, key="mine"))
    )
    first.start()
    until(lambda: any(method == "PUT" for method, _ in router.calls))
    second = threading.Thread(
        target=lambda: answers.append(customer("ada").place({tea: 2}, key="mine"))
    )
    second.start()

    assert answers == []
    router.thaw.set()
    first.join(10)
    second.join(10)

    assert sorted(answer.status_code for answer in answers) == [200, 201]
    assert answers[0].json == answers[1].json
    assert shop.stock[tea] == 98


def test_waiting_for_an_order_in_progress_ends(
    ada, database, stock, purchase, books, tea, monkeypatch
):
    """409 says that it is still in progress and when to ask again; nothing new was begun."""
    wanted = purchase({tea: 2}, key="mine")
    placement.begin(database, wanted, placement._priced(stock, wanted))
    monkeypatch.setattr("order.placement.WAIT_SECONDS", 0.2)

    answer = ada.place({tea: 2}, key="mine")

    assert answer.status_code == 409
    assert answer.json["code"] == "order_in_progress"
    assert int(answer.headers["Retry-After"]) >= 1
    assert books.statuses() == ["pending"]


def test_nobody_waits_for_an_order_in_progress_beyond_the_deadline(
    ada, app, router, database, stock, purchase, tea
):
    """Whoever has a moment only gets the same answer within it."""
    wanted = purchase({tea: 2}, key="mine")
    placement.begin(database, wanted, placement._priced(stock, wanted))
    ada.get("orders")  # so that auth's keys are there: to fetch them takes of the time
    begun = time.monotonic()

    answer = app.test_client().post(
        "/api/v1/orders",
        json={"items": [{"product_id": tea, "quantity": 2}]},
        headers={
            "Authorization": f"Bearer {router.token('ada')}",
            "Idempotency-Key": "mine",
            deadline.HEADER: "2000",
        },
    )

    assert (answer.status_code, answer.json["code"]) == (409, "order_in_progress")
    assert time.monotonic() - begun < placement.WAIT_SECONDS


def test_other_items_are_refused_while_the_order_is_being_placed(
    ada, database, stock, purchase, tea
):
    """There is nothing to wait for."""
    wanted = purchase({tea: 2}, key="mine")
    placement.begin(database, wanted, placement._priced(stock, wanted))

    assert ada.place({tea: 1}, key="mine").json["code"] == "key_reused"


def test_a_key_of_a_dead_process_can_be_used_after_the_sweep(
    ada, database, stock, purchase, books, sweeper, shop, tea
):
    """The customer gets the order in the end, once."""
    wanted = purchase({tea: 2}, key="mine")
    begun = placement.begin(database, wanted, placement._priced(stock, wanted))
    stock.reserve(begun.id, begun.items)
    books.age()
    sweeper.sweep()

    answer = ada.place({tea: 2}, key="mine")

    assert answer.status_code == 201
    assert answer.json["id"] != str(begun.id)
    assert (books.statuses(), shop.stock[tea]) == (["placed"], 98)


def test_a_key_is_taken_by_one_of_many_that_begin_at_once(
    database, stock, purchase, books, tea, together
):
    """The database decides, not a look before the write."""
    wanted = purchase({tea: 2}, key="mine")
    items = placement._priced(stock, wanted)

    begun = together([lambda: placement.begin(database, wanted, items)] * 8)

    assert sum(order is not None for order in begun) == 1
    assert books.statuses() == ["pending"]
