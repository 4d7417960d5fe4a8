"""The sweeper: finishes what is left over, and nothing else."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import text

from order import placement
from order.sweeper import Sweeper, claim
from platform_kit import start_background

pytestmark = pytest.mark.integration


@pytest.fixture
def left_over(database, stock, purchase, books, tea):
    """Orders whose process died after it had reserved."""

    def leave(count):
        left = []
        for _ in range(count):
            wanted = purchase({tea: 1})
            begun = placement.begin(database, wanted, placement._priced(stock, wanted))
            stock.reserve(begun.id, begun.items)
            left.append(begun.id)
        books.age()
        return left

    return leave


def test_a_sweep_settles_all_that_is_left_over(left_over, books, shop, sweeper, tea):
    """And says how many that were."""
    left_over(3)

    assert sweeper.sweep() == 3
    assert (books.statuses(), shop.stock[tea]) == ([], 100)
    assert sweeper.sweep() == 0


def test_what_is_being_worked_on_is_left_alone(database, stock, purchase, books, sweeper, tea):
    """A pending order that is seconds old has somebody who places it."""
    wanted = purchase({tea: 1})
    placement.begin(database, wanted, placement._priced(stock, wanted))

    assert sweeper.sweep() == 0
    assert books.statuses() == ["pending"]


def test_placed_and_cancelled_orders_are_left_alone_for_ever(
    ada, books, router, shop, sweeper, relay, tea
):
    """However old they are, and whether product knows or not."""
    ada.place({tea: 1})
    ada.cancel(ada.place({tea: 1}).json["id"])
    books.age()
    router.calls.clear()

    assert sweeper.sweep() == 0
    assert sorted(books.statuses()) == ["cancelling", "placed"]  # product is yet to be told
    relay.deliver()
    books.age()
    router.calls.clear()

    assert sweeper.sweep() == 0
    assert (sorted(books.statuses()), shop.stock[tea]) == (["cancelled", "placed"], 99)
    assert router.calls == []


def test_a_sweep_ends_where_product_fails(left_over, books, router, sweeper):
    """The others wait for the next one: product need not be asked for each of them."""
    left_over(3)
    router.faults["DELETE"].append((500, None))
    router.calls.clear()

    assert sweeper.sweep() == 0
    assert len(router.calls) == 1
    assert sorted(books.statuses()) == ["pending", "pending", "releasing"]


def test_one_that_always_fails_makes_room_for_the_others(left_over, books, router, sweeper):
    """It is the youngest after each try."""
    left_over(3)
    router.faults["DELETE"].append((500, None))
    sweeper.sweep()

    assert sweeper.sweep() == 2
    assert books.statuses() == ["releasing"]
    books.age()
    assert sweeper.sweep() == 1


def test_a_leftover_is_claimed_once(left_over, database):
    """For as long as somebody may be working on it."""
    left = left_over(2)

    claimed = [claim(database) for _ in range(3)]

    assert {each.order_id for each in claimed if each} == set(left)
    assert claimed[2] is None


def test_many_sweepers_at_once_share_the_work(
    left_over, database, stock, books, router, shop, tea, together
):
    """Every instance has one: no leftover is forgotten, none is taken by two."""
    left_over(12)
    router.calls.clear()

    together([Sweeper(database, stock).sweep] * 4)

    assert (books.statuses(), shop.stock[tea]) == ([], 100)
    assert len(router.calls) == 12


def test_a_leftover_that_somebody_holds_is_skipped(left_over, database):
    """Nobody waits for a lock."""
    left_over(1)
    lock = text("SELECT * FROM orders FOR UPDATE")
    with ThreadPoolExecutor(1) as threads, database.begin() as connection:
        connection.execute(lock)

        assert threads.submit(claim, database).result(timeout=10) is None
    assert claim(database) is not None


def test_looking_for_leftovers_uses_their_index(database, plan):
    """A look every other second must not read every order there ever was."""
    assert "orders_to_settle" in plan(lambda: claim(database))


def test_an_instance_that_serves_sweeps(left_over, app, books, shop, tea, until):
    """By itself, from its start on, and not before."""
    left_over(2)
    assert len(books.statuses()) == 2

    with start_background(app):
        until(lambda: books.statuses() == [])

    assert shop.stock[tea] == 100


def test_the_sweeper_goes_on_until_it_is_told_to_stop(
    left_over, sweeper, books, until, monkeypatch
):
    """Sweep after sweep, and then no more."""
    monkeypatch.setattr("order.sweeper.EVERY_SECONDS", 0.01)
    stop = threading.Event()
    thread = threading.Thread(target=sweeper.run, args=(stop,))
    thread.start()

    for _ in range(2):
        left_over(1)
        until(lambda: books.statuses() == [])
    stop.set()
    thread.join(10)

    assert not thread.is_alive()


def test_a_sweepers_calls_need_no_request(left_over, router, sweeper):
    """Outside of one there is no request id to pass on."""
    left_over(1)

    assert sweeper.sweep() == 1
    assert router.calls[-1][0] == "DELETE"
    assert router.request_ids[-1] is None
