"""Order's flags: their file goes with the code, and what each does on and off."""

import re

import pytest

from order import placement
from order.flags import FLAGS, RESERVE_FIRST
from platform_kit.flags import check
from platform_kit.instance import Instance
from platform_kit.retries import TRIES

BROKEN = (500, b"<h1>Oops</h1>")


@pytest.fixture
def reserve_first():
    """The flag is on."""
    with RESERVE_FIRST.override(True):
        yield


@pytest.fixture
def assert_nothing_left(books, shop, tea):
    """Look for rows and reservations of orders that came to nothing."""

    def look():
        assert (books.statuses(), books.count_items()) == ([], 0)
        assert (shop.held, shop.stock[tea]) == ({}, 100)

    return look


def test_the_file_and_the_code_go_together():
    """Nothing unknown, nothing missing, nothing of another type."""
    assert check(FLAGS) == []


def test_the_app_decides_by_the_file(instance):
    """Not only the tests know of it."""
    app = instance("postgresql://127.0.0.1:9/nowhere", "http://127.0.0.1:9")
    page = Instance.of(app).metrics.exposition().decode()

    assert re.findall(r"^flag_file_ok{.*} (\S+)$", page, re.MULTILINE) == ["1.0"]


@pytest.mark.integration
def test_the_flag_is_asked_once_for_the_customer_who_orders(ada, bob, tea, monkeypatch):
    """So each stays with what they have."""
    asked = []
    monkeypatch.setattr(type(RESERVE_FIRST), "on", lambda _flag, key: asked.append(key) or False)
    for customer in (ada, bob):
        customer.place({tea: 1})

    assert asked == ["ada", "bob"]


@pytest.mark.integration
@pytest.mark.parametrize(("on", "methods"), [(True, "PUT GET GET"), (False, "GET GET PUT")])
def test_stock_is_reserved_before_prices_are_asked_for_where_the_flag_is_on(
    ada, router, tea, cup, on, methods
):
    """And after them where it is off; the order is the same."""
    with RESERVE_FIRST.override(on):
        answer = ada.place({tea: 3, cup: 2})

    assert [method for method, _ in router.calls] == methods.split()
    assert (answer.status_code, answer.json["total"]) == (201, "29.50")
    assert [item["unit_price"] for item in answer.json["items"]] == ["4.50", "8.00"]
    assert ada.orders() == [answer.json]


@pytest.mark.integration
@pytest.mark.parametrize(("on", "statuses"), [(True, (201, 409)), (False, (409, 201))])
def test_who_reserves_first_gets_the_last_ones(ada, bob, router, cup, on, statuses):
    """While ada's price is being asked for bob wants all that there is: too late where the flag is on."""
    bobs = []
    router.faults["GET"].append(lambda: bobs.append(bob.place({cup: 5})))

    with RESERVE_FIRST.override(on):
        adas = ada.place({cup: 5})

    assert (adas.status_code, bobs[0].status_code) == statuses


@pytest.mark.integration
def test_who_is_too_late_is_told_by_one_call(reserve_first, ada, router, tea, assert_nothing_left):
    """No price is asked for, and nothing is left."""
    answer = ada.place({tea: 101})

    assert (answer.status_code, answer.json["code"]) == (409, "out_of_stock")
    assert [method for method, _ in router.calls] == ["PUT"]
    assert_nothing_left()


@pytest.mark.integration
def test_an_order_without_its_prices_is_never_seen(reserve_first, ada, books, router, tea):
    """It is pending until it has them."""
    seen = []
    router.faults["GET"].append(lambda: seen.append((books.statuses(), ada.orders())))

    assert ada.place({tea: 2}).json["total"] == "9.00"
    assert seen == [(["pending"], [])]


@pytest.mark.integration
@pytest.mark.parametrize(
    "fault", [BROKEN, (404, b"404 page not found\n"), (200, {"price": "cheap"}), "dropped", "lost"]
)
def test_a_price_that_cannot_be_read_gives_the_stock_back(
    reserve_first, ada, router, tea, assert_nothing_left, fault
):
    """503 and neither order nor reservation; the same key is good for the next try."""
    router.faults["GET"] += [fault] * TRIES

    answer = ada.place({tea: 2}, key="mine")
    router.faults["GET"].clear()

    assert (answer.status_code, answer.json["code"]) == (503, "product_unavailable")
    assert_nothing_left()
    assert ada.place({tea: 2}, key="mine").status_code == 201


@pytest.mark.integration
def test_prices_that_take_too_long_give_the_stock_back(
    reserve_first, ada, router, tea, assert_nothing_left, monkeypatch
):
    """All of them together have no more time than those who wait for the order count on."""
    monkeypatch.setattr("order.placement.PRICES_SECONDS", 0.3)
    router.faults["GET"].append("late")

    assert ada.place({tea: 2}).status_code == 503
    assert_nothing_left()


@pytest.mark.integration
def test_a_product_that_vanishes_after_it_was_reserved_is_passed_on(
    reserve_first, ada, router, shop, tea, assert_nothing_left
):
    """404, as if it had never been there."""
    router.faults["GET"].append(lambda: shop.prices.pop(tea))

    answer = ada.place({tea: 2})

    assert (answer.status_code, answer.json["code"]) == (404, "product_missing")
    assert_nothing_left()


@pytest.mark.integration
def test_stock_that_cannot_be_given_back_at_once_is_left_to_the_sweeper(
    reserve_first, ada, router, books, tea, sweeper, assert_nothing_left
):
    """Reserved, no price, release failed: gone after the sweep."""
    router.faults["GET"] += [BROKEN] * TRIES
    router.faults["DELETE"].append(BROKEN)
    assert ada.place({tea: 2}).status_code == 503
    assert books.statuses() == ["releasing"]

    books.age()

    assert sweeper.sweep() == 1
    assert_nothing_left()


@pytest.mark.integration
def test_death_while_prices_are_asked_for_leaves_nothing(
    ada, database, stock, purchase, books, tea, sweeper, assert_nothing_left
):
    """The row knows of the reservation, with or without prices."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, placement._unpriced(wanted))
    stock.reserve(begun.id, begun.items)
    assert (books.statuses(), ada.orders()) == (["pending"], [])

    books.age()

    assert sweeper.sweep() == 1
    assert_nothing_left()


@pytest.mark.integration
def test_a_process_that_was_only_asleep_finds_its_order_gone(
    reserve_first, ada, router, books, tea, sweeper, assert_nothing_left
):
    """The sweeper took it for dead while it asked for prices: it places nothing behind its back."""

    def sweep():
        books.age()
        assert sweeper.sweep() == 1

    router.faults["GET"].append(sweep)

    assert ada.place({tea: 2}).status_code == 503
    assert_nothing_left()


@pytest.mark.integration
def test_an_order_that_is_not_confirmed_keeps_no_price(database, stock, purchase, books, tea):
    """Prices are written with the status, or neither is."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, placement._unpriced(wanted))
    placement.abandon(database, begun.id)

    assert not placement.confirm(database, begun.id, priced=placement._priced(stock, wanted))
    assert placement.find(database, wanted).items[0].unit_price == placement.UNPRICED
    assert books.statuses() == ["releasing"]
