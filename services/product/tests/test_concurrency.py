"""Many callers at once: never oversold, never stuck, never counted twice."""

from collections import Counter
from functools import partial
from itertools import permutations
from uuid import uuid4

import pytest
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError

from product.tables import products

pytestmark = pytest.mark.integration


def statuses(answers):
    return Counter(answer.status_code for answer in answers)


def test_two_hundred_that_want_one_of_fifty_share_exactly_fifty(
    stocked, stock_of, reserve, together
):
    """Whoever comes too late is refused, and nobody gets what is not there."""
    tea = stocked(stock=50)

    answers = together([partial(reserve, uuid4(), {tea: 1}) for _ in range(200)])

    assert statuses(answers) == {201: 50, 409: 150}
    assert {each.json["code"] for each in answers if each.status_code == 409} == {"out_of_stock"}
    assert stock_of(tea) == 0


def test_the_database_itself_refuses_a_stock_below_zero(database, stocked, stock_of):
    """The control: code that took without looking would fail, not oversell."""
    tea = stocked(stock=1)

    with pytest.raises(IntegrityError, match="products_stock"), database.begin() as connection:
        connection.execute(update(products).values(stock=products.c.stock - 2))

    assert stock_of(tea) == 1


def test_overlapping_items_in_any_order_do_not_deadlock(stocked, stock_of, reserve, together):
    """A deadlock would be a 500 after PostgreSQL's deadlock_timeout."""
    ids = [stocked(stock=100) for _ in range(3)]
    orders = list(permutations(ids)) * 8

    answers = together([partial(reserve, uuid4(), dict.fromkeys(order, 1)) for order in orders])

    assert statuses(answers) == {201: 48}
    assert [stock_of(product_id) for product_id in ids] == [52, 52, 52]


def test_taking_and_giving_back_in_opposite_order_do_not_deadlock(
    stocked, stock_of, reserve, release, together
):
    """Releases lock the products in the same order as reservations do."""
    tea, cup = stocked(stock=100), stocked(stock=100)
    held = [uuid4() for _ in range(20)]
    for reservation_id in held:
        reserve(reservation_id, {cup: 1, tea: 1})

    calls = [partial(release, reservation_id) for reservation_id in held]
    calls += [partial(reserve, uuid4(), {cup: 1, tea: 1}) for _ in range(20)]

    assert statuses(together(calls)) == {204: 20, 201: 20}
    assert (stock_of(tea), stock_of(cup)) == (80, 80)


def test_one_reservation_sent_many_times_at_once_is_made_once(stocked, stock_of, reserve, together):
    """One is new, the others find it."""
    tea, reservation_id = stocked(stock=50), uuid4()

    answers = together([partial(reserve, reservation_id, {tea: 2})] * 20)

    assert statuses(answers) == {201: 1, 200: 19}
    assert stock_of(tea) == 48


def test_one_release_sent_many_times_at_once_gives_back_once(
    stocked, stock_of, reserve, release, together
):
    """All are told that it is done."""
    tea, reservation_id = stocked(stock=50), uuid4()
    reserve(reservation_id, {tea: 2})

    answers = together([partial(release, reservation_id)] * 20)

    assert statuses(answers) == {204: 20}
    assert stock_of(tea) == 50


def test_a_release_that_meets_its_reservation_leaves_nothing_reserved(
    stocked, stock_of, reserve, release, together
):
    """Whichever of the two comes first, in each of many meetings."""
    tea = stocked(stock=50)
    ids = [uuid4() for _ in range(20)]

    calls = [partial(reserve, reservation_id, {tea: 1}) for reservation_id in ids]
    calls += [partial(release, reservation_id) for reservation_id in ids]
    answers = together(calls)

    assert statuses(answers)[204] == 20
    assert set(statuses(answers)) <= {201, 204, 409}
    assert stock_of(tea) == 50


def test_the_refused_of_many_leave_nothing_half_taken(stocked, stock_of, reserve, together):
    """Plenty of the one, few of the other: both fall by the same number."""
    tea, cup = stocked(stock=100), stocked(stock=5)

    answers = together([partial(reserve, uuid4(), {tea: 1, cup: 1}) for _ in range(30)])

    assert statuses(answers) == {201: 5, 409: 25}
    assert (stock_of(tea), stock_of(cup)) == (95, 0)
