"""Taking from the stock, all or nothing, and giving back, once."""

from uuid import uuid4

import pytest
from sqlalchemy import func, select

from product.tables import reservation_items, reservations

pytestmark = pytest.mark.integration


def rows(database, table):
    with database.connect() as connection:
        return connection.execute(select(func.count()).select_from(table)).scalar_one()


def test_a_reservation_takes_its_items_from_the_stock(stocked, stock_of, reserve):
    """And answers what it holds."""
    tea, cup = stocked(stock=10), stocked(stock=5)
    reservation_id = uuid4()

    answer = reserve(reservation_id, {tea: 3, cup: 5})

    assert answer.status_code == 201
    assert answer.json == {
        "id": str(reservation_id),
        "items": [{"product_id": tea, "quantity": 3}, {"product_id": cup, "quantity": 5}],
    }
    assert (stock_of(tea), stock_of(cup)) == (7, 0)


def test_reserving_again_takes_nothing_more(stocked, stock_of, reserve):
    """200 instead of 201, in whatever order the items are named."""
    tea, cup = stocked(stock=10), stocked(stock=5)
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3, cup: 5})

    again = reserve(reservation_id, {tea: 3, cup: 5})
    reordered = reserve(reservation_id, {cup: 5, tea: 3})

    assert (again.status_code, reordered.status_code) == (200, 200)
    assert (stock_of(tea), stock_of(cup)) == (7, 0)


@pytest.mark.parametrize("case", ["other quantity", "other product", "fewer", "more"])
def test_other_items_under_the_same_id_are_refused(stocked, stock_of, reserve, case):
    """409, and what was reserved stays reserved."""
    tea, cup, pot = stocked(), stocked(), stocked()
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3, cup: 2})
    others = {
        "other quantity": {tea: 3, cup: 1},
        "other product": {tea: 3, pot: 2},
        "fewer": {tea: 3},
        "more": {tea: 3, cup: 2, pot: 1},
    }

    answer = reserve(reservation_id, others[case])

    assert answer.status_code == 409
    assert answer.json["code"] == "reservation_differs"
    assert [stock_of(product) for product in (tea, cup, pot)] == [7, 8, 10]


def test_more_than_there_is_is_refused(database, stocked, stock_of, reserve):
    """409 names the product, and nothing at all was taken or written down."""
    tea, cup = stocked(stock=10), stocked(stock=5)

    answer = reserve(uuid4(), {tea: 3, cup: 6})

    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "out_of_stock"
    assert answer.json["product_id"] == cup
    assert (stock_of(tea), stock_of(cup)) == (10, 5)
    assert rows(database, reservations) == rows(database, reservation_items) == 0


def test_a_product_that_there_is_not_is_refused(database, stocked, stock_of, reserve):
    """404 names the product, and nothing at all was taken or written down."""
    tea = stocked(stock=10)

    answer = reserve(uuid4(), {tea: 3, tea + 1: 1})

    assert answer.status_code == 404
    assert answer.json["code"] == "product_missing"
    assert answer.json["product_id"] == tea + 1
    assert stock_of(tea) == 10
    assert rows(database, reservations) == rows(database, reservation_items) == 0


def test_a_refused_id_may_be_used_again(client, stocked, stock_of, reserve):
    """Out of stock today, back tomorrow."""
    tea = stocked(stock=1)
    reservation_id = uuid4()
    assert reserve(reservation_id, {tea: 2}).status_code == 409

    client.put(f"/api/v1/inventory/{tea}/stock", json={"stock": 2})

    assert reserve(reservation_id, {tea: 2}).status_code == 201
    assert stock_of(tea) == 0


def test_the_last_one_can_be_reserved_and_no_more(stocked, stock_of, reserve):
    """The bound is exact."""
    tea = stocked(stock=1)

    assert reserve(uuid4(), {tea: 1}).status_code == 201
    assert reserve(uuid4(), {tea: 1}).status_code == 409
    assert stock_of(tea) == 0


def test_releasing_gives_the_items_back(stocked, stock_of, reserve, release):
    """All of them, with nothing to say about it."""
    tea, cup = stocked(stock=10), stocked(stock=5)
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3, cup: 5})

    answer = release(reservation_id)

    assert answer.status_code == 204
    assert answer.data == b""
    assert (stock_of(tea), stock_of(cup)) == (10, 5)


def test_releasing_again_gives_nothing_more_back(stocked, stock_of, reserve, release):
    """The same answer, once the stock."""
    tea = stocked(stock=10)
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3})

    answers = [release(reservation_id).status_code for _ in range(3)]

    assert answers == [204, 204, 204]
    assert stock_of(tea) == 10


def test_releasing_leaves_other_reservations_alone(stocked, stock_of, reserve, release):
    """Of one product, each holds its own."""
    tea = stocked(stock=10)
    mine, yours = uuid4(), uuid4()
    reserve(mine, {tea: 3})
    reserve(yours, {tea: 4})

    release(mine)

    assert stock_of(tea) == 6


def test_a_released_id_is_refused(stocked, stock_of, reserve, release):
    """Whether the items are the same or others."""
    tea = stocked(stock=10)
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3})
    release(reservation_id)

    same, others = reserve(reservation_id, {tea: 3}), reserve(reservation_id, {tea: 1})

    assert (same.status_code, others.status_code) == (409, 409)
    assert same.json["code"] == others.json["code"] == "reservation_released"
    assert stock_of(tea) == 10


def test_a_reservation_that_arrives_after_its_release_is_refused(
    stocked, stock_of, reserve, release
):
    """The tombstone: a caller that gave up has nothing reserved behind its back."""
    tea = stocked(stock=10)
    reservation_id = uuid4()

    released = [release(reservation_id).status_code for _ in range(2)]
    late = reserve(reservation_id, {tea: 3})

    assert released == [204, 204]
    assert late.status_code == 409
    assert late.json["code"] == "reservation_released"
    assert stock_of(tea) == 10


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        (None, "items"),
        ([{"product_id": 1, "quantity": 1}, {"product_id": 1, "quantity": 2}], "items"),
        ([{"product_id": number, "quantity": 1} for number in range(1, 102)], "items"),
        ([{"product_id": 1, "quantity": 0}], "items.0.quantity"),
        ([{"product_id": 1, "quantity": -1}], "items.0.quantity"),
        ([{"product_id": 1, "quantity": 1_000_001}], "items.0.quantity"),
        ([{"product_id": 1, "quantity": 1.5}], "items.0.quantity"),
        ([{"product_id": 1, "quantity": True}], "items.0.quantity"),
        ([{"product_id": 1}], "items.0.quantity"),
        ([{"product_id": 0, "quantity": 1}], "items.0.product_id"),
        ([{"product_id": 2**63, "quantity": 1}], "items.0.product_id"),
        ([{"product_id": "1", "quantity": 1}], "items.0.product_id"),
    ],
)
def test_items_out_of_bounds_are_refused(client, database, items, field):
    """422, naming the place of the fault; nothing is written down."""
    answer = client.put(f"/api/v1/reservations/{uuid4()}", json={"items": items})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert rows(database, reservations) == 0


def test_a_hundred_products_fit_into_one_reservation(stocked, stock_of, reserve):
    """The bound is exact."""
    ids = [stocked(stock=1) for _ in range(100)]

    assert reserve(uuid4(), dict.fromkeys(ids, 1)).status_code == 201
    assert {stock_of(product_id) for product_id in ids[::33]} == {0}
