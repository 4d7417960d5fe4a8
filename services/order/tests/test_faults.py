"""Product fails in every way there is: no order and no reservation may be left."""

import pytest

from order import placement
from order.stock import ProductUnavailable
from platform_kit.retries import TRIES

pytestmark = pytest.mark.integration

BROKEN = (500, b"<h1>Oops</h1>")
NO_SUCH_ROUTE = (404, b"404 page not found\n")  # what the router says of a service that is away
FAILURES = [
    BROKEN,
    NO_SUCH_ROUTE,
    (503, {"code": "fault_injected"}),
    (409, {"code": "reservation_released"}),
    (409, {"code": "out_of_stock"}),  # names no product: not product's own
    (409, {"code": "of_a_later_version", "product_id": 1}),
    (422, {"code": "invalid_request", "errors": []}),
    (302, None),
    "dropped",
]
SILENCES = ["late", "slow"]


def assert_unavailable(answer):
    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "product_unavailable"
    assert int(answer.headers["Retry-After"]) >= 1


def assert_nothing_left(books, shop):
    assert (books.statuses(), books.count_items()) == ([], 0)
    assert (shop.held, set(shop.stock.values())) == ({}, {100})


@pytest.mark.parametrize("fault", [*FAILURES, "lost"])
def test_a_failed_reservation_leaves_nothing(ada, router, books, shop, tea, fault):
    """Also when product did reserve and only its answer was lost."""
    router.faults["PUT"].append(fault)

    assert_unavailable(ada.place({tea: 2}))
    assert_nothing_left(books, shop)
    assert ada.place({tea: 2}).status_code == 201  # the control: it was the fault


def test_a_time_out_after_reserving_leaves_nothing(impatient, ada, router, books, shop, tea):
    """The stock was taken, the answer never came: it is given back."""
    router.faults["PUT"].append("slow")

    assert_unavailable(ada.place({tea: 2}))
    assert_nothing_left(books, shop)


def test_a_reservation_that_arrives_after_the_time_out_is_refused(
    impatient, ada, router, books, shop, tea, until
):
    """The release overtook it, and left a tombstone."""
    router.faults["PUT"].append("late")
    assert_unavailable(ada.place({tea: 2}))
    assert router.done == [("GET", 200), ("DELETE", 204)]

    router.thaw.set()
    until(lambda: router.done[-1] == ("PUT", 409))

    assert_nothing_left(books, shop)


@pytest.mark.parametrize("fault", [*FAILURES, (200, b"{}"), (200, {"price": "cheap"}), "lost"])
def test_a_price_that_cannot_be_read_begins_nothing(ada, router, books, shop, tea, fault):
    """The first call fails: there is nothing to turn around."""
    router.faults["GET"] += [fault] * TRIES

    assert_unavailable(ada.place({tea: 2}))
    assert_nothing_left(books, shop)
    assert {method for method, _ in router.calls} == {"GET"}


def test_a_price_is_asked_for_again_when_one_instance_of_product_fails(ada, router, tea):
    """Two failures in a row do not reach the customer; a reservation is never asked for twice."""
    router.faults["GET"] += [BROKEN] * (TRIES - 1)

    assert ada.place({tea: 2}).status_code == 201
    assert [method for method, _ in router.calls] == ["GET"] * TRIES + ["PUT"]


@pytest.mark.parametrize("price", ["4.505", "-1.00", "NaN", "10000000000.00", None])
def test_a_price_that_the_order_could_not_keep_is_no_price(ada, router, books, shop, tea, price):
    """The total must be what the customer was told."""
    shop.prices[tea] = price

    assert_unavailable(ada.place({tea: 2}))
    assert_nothing_left(books, shop)


@pytest.mark.parametrize("silence", SILENCES)
def test_a_price_that_never_comes_begins_nothing(impatient, ada, router, books, shop, tea, silence):
    """The customer waits for the time-out and no longer."""
    router.faults["GET"].append(silence)

    assert_unavailable(ada.place({tea: 2}))
    assert_nothing_left(books, shop)


def test_a_dead_product_is_unavailable(ada, router, books, tea):
    """Nobody listens any more; tokens are verified all the same."""
    assert ada.orders() == []
    router.stop()

    assert_unavailable(ada.place({tea: 2}))
    assert books.statuses() == []


@pytest.mark.parametrize("fault", [*FAILURES, (200, {})])
def test_what_cannot_be_released_at_once_is_left_to_the_sweeper(
    ada, router, books, shop, tea, sweeper, fault
):
    """Reserved, answer lost, release failed: unseen from then on, and gone after the sweep."""
    router.faults["PUT"].append("lost")
    router.faults["DELETE"].append(fault)

    assert_unavailable(ada.place({tea: 2}))
    assert books.statuses() == ["releasing"]
    assert (ada.orders(), shop.stock[tea]) == ([], 98)

    books.age()
    assert sweeper.sweep() == 1
    assert_nothing_left(books, shop)


def test_a_key_that_was_left_to_the_sweeper_can_be_used_at_once(ada, router, books, shop, tea):
    """Whoever asks again turns the failed attempt around first."""
    router.faults["PUT"].append("lost")
    router.faults["DELETE"].append(BROKEN)
    assert_unavailable(ada.place({tea: 2}, key="mine"))

    answer = ada.place({tea: 2}, key="mine")

    assert answer.status_code == 201
    assert books.statuses() == ["placed"]
    assert shop.held == {answer.json["id"]: {tea: 2}}
    assert shop.stock[tea] == 98


def test_a_key_that_was_left_to_the_sweeper_stays_unavailable_with_product(ada, router, books, tea):
    """As long as the failed attempt cannot be turned around, no second one begins."""
    router.faults["PUT"].append("lost")
    router.faults["DELETE"] += [BROKEN, BROKEN]
    assert_unavailable(ada.place({tea: 2}, key="mine"))

    assert_unavailable(ada.place({tea: 2}, key="mine"))
    assert books.statuses() == ["releasing"]


def test_many_failures_at_once_leave_nothing(customer, router, books, shop, tea, together):
    """Some reserved, some not, some found no way to release: nothing stays but what was placed."""
    router.faults["PUT"] += ["lost", BROKEN, "dropped", NO_SUCH_ROUTE] * 5
    buyers = [customer(f"customer-{number}") for number in range(40)]

    answers = together([lambda buyer=buyer: buyer.place({tea: 1}) for buyer in buyers])

    assert sorted(answer.status_code for answer in answers) == [201] * 20 + [503] * 20
    assert books.statuses() == ["placed"] * 20
    assert (shop.stock[tea], len(shop.held)) == (80, 20)


# A process that dies does no more than what it did before: call the pieces, then stop.


def items_of(stock, purchase):
    return placement._priced(stock, purchase)


def test_death_before_the_reservation_leaves_nothing(
    ada, database, stock, purchase, books, shop, tea, sweeper
):
    """The row is unseen and then gone; a reservation still on its way will be refused."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, items_of(stock, wanted))
    assert (books.statuses(), ada.orders()) == (["pending"], [])

    books.age()
    assert sweeper.sweep() == 1

    assert_nothing_left(books, shop)
    with pytest.raises(ProductUnavailable):
        stock.reserve(begun.id, begun.items)


def test_death_after_the_reservation_leaves_nothing(
    ada, database, stock, purchase, books, shop, tea, sweeper
):
    """The stock comes back."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, items_of(stock, wanted))
    stock.reserve(begun.id, begun.items)
    assert (books.statuses(), ada.orders(), shop.stock[tea]) == (["pending"], [], 98)

    books.age()
    assert sweeper.sweep() == 1

    assert_nothing_left(books, shop)


def test_death_after_giving_up_leaves_nothing(database, stock, purchase, books, shop, tea, sweeper):
    """Abandoned, not yet released."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, items_of(stock, wanted))
    stock.reserve(begun.id, begun.items)
    placement.abandon(database, begun.id)

    books.age()
    assert sweeper.sweep() == 1

    assert_nothing_left(books, shop)


def test_death_after_releasing_leaves_nothing(database, stock, purchase, books, shop, tea, sweeper):
    """Released, the row not yet deleted: the second release does no harm."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, items_of(stock, wanted))
    stock.reserve(begun.id, begun.items)
    placement.abandon(database, begun.id)
    stock.release(begun.id)

    books.age()
    assert sweeper.sweep() == 1

    assert_nothing_left(books, shop)


def test_death_after_confirming_keeps_the_order(
    ada, database, stock, purchase, books, shop, tea, sweeper
):
    """All was done but the answer: who asks again gets the order."""
    wanted = purchase({tea: 2}, key="mine")
    begun = placement.begin(database, wanted, items_of(stock, wanted))
    stock.reserve(begun.id, begun.items)
    assert placement.confirm(database, begun.id)

    books.age()
    assert sweeper.sweep() == 0

    answer = ada.place({tea: 2}, key="mine")
    assert (answer.status_code, answer.json["id"]) == (200, str(begun.id))
    assert (books.statuses(), shop.stock[tea]) == (["placed"], 98)


@pytest.mark.parametrize("swept", ["before", "after"])
def test_a_process_that_was_only_asleep_finds_its_order_gone(
    ada, router, books, shop, tea, sweeper, swept
):
    """The sweeper took it for dead while it was reserving: it places nothing behind its back."""

    def sweep():
        books.age()
        assert sweeper.sweep() == 1

    if swept == "after":
        # The reservation is made, then the sweeper comes, then the process gets its answer.
        answer_of = shop.answer

        def answer(method, path, body):
            answered = answer_of(method, path, body)
            if method == "PUT":
                sweep()
            return answered

        shop.answer = answer
    else:
        router.faults["PUT"].append(sweep)

    assert_unavailable(ada.place({tea: 2}))
    assert_nothing_left(books, shop)


def test_the_database_may_die_between_the_steps(ada, monkeypatch, books, shop, tea, sweeper):
    """The order cannot be confirmed: 500, unseen, and gone after the sweep."""

    def die(*_args, **_kwargs):
        raise OSError("the connection was lost")

    monkeypatch.setattr("order.placement.confirm", die)
    answer = ada.place({tea: 2})

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert (books.statuses(), ada.orders()) == (["pending"], [])
    books.age()
    assert sweeper.sweep() == 1
    assert_nothing_left(books, shop)


def test_abandoning_and_confirming_exclude_each_other(database, stock, purchase, tea, together):
    """Whoever is first decides, once."""
    for _ in range(5):
        wanted = purchase({tea: 1})
        begun = placement.begin(database, wanted, items_of(stock, wanted))
        moves = [placement.confirm, placement.abandon] * 3

        done = together([lambda move=move, id_=begun.id: move(database, id_) for move in moves])

        assert sum(done) == 1


def test_a_settled_order_can_be_settled_by_two_at_once(
    database, stock, purchase, books, shop, tea, together
):
    """The sweeper and a customer who asks again may meet."""
    wanted = purchase({tea: 2})
    begun = placement.begin(database, wanted, items_of(stock, wanted))
    stock.reserve(begun.id, begun.items)
    placement.abandon(database, begun.id)

    together([lambda: placement.settle(database, stock, begun.id)] * 4)

    assert_nothing_left(books, shop)
