"""What product hears: each event has its effect once."""

from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import func, select

from product.tables import inbox

pytestmark = pytest.mark.integration


@pytest.fixture
def noted(database):
    """How many events are noted."""

    def count():
        with database.connect() as connection:
            return connection.scalar(select(func.count()).select_from(inbox))

    return count


@pytest.fixture
def tell(client):
    """Tell of a cancelled order, and return the answer."""

    def tell(reservation_id, *, api="v1", **changes):
        event = {
            "id": str(uuid4()),
            "type": "OrderCancelled",
            "version": 1,
            "key": str(reservation_id),
            "at": datetime.now(UTC).isoformat(),
            "data": {"order_id": str(uuid4()), "reservation_id": str(reservation_id), "items": []},
        }
        return client.post(f"/api/{api}/events", json={**event, **changes})

    return tell


@pytest.fixture
def tell_of_a_part(tell):
    """Tell that so many of some products of an order are cancelled, and return the answer."""

    def tell_of(reservation_id, items, **changes):
        rows = [{"product_id": product, "quantity": count} for product, count in items.items()]
        order = {"order_id": str(reservation_id), "reservation_id": None}
        data = {**order, "part_of": str(reservation_id), "items": rows}
        return tell(uuid4(), data=data, **changes)

    return tell_of


@pytest.mark.parametrize("api", ["v1", "v2"])
def test_a_cancelled_order_gives_its_reservation_back(stocked, stock_of, reserve, tell, noted, api):
    """All of its items; the event is noted. In every version of the interface it is the same."""
    tea, cup = stocked(stock=10), stocked(stock=5)
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3, cup: 5})

    answer = tell(reservation_id, api=api)

    assert (answer.status_code, answer.json) == (200, {"outcome": "applied"})
    assert (stock_of(tea), stock_of(cup), noted()) == (10, 5, 1)


def test_an_event_that_comes_again_gives_nothing_more_back(stocked, stock_of, reserve, tell):
    """Nor does another of the same reservation, nor a release beside it."""
    tea, reservation_id, event_id = stocked(stock=10), uuid4(), str(uuid4())
    reserve(reservation_id, {tea: 3})

    outcomes = [tell(reservation_id, id=event_id).json["outcome"] for _ in range(2)]
    tell(reservation_id)

    assert outcomes == ["applied", "repeated"]
    assert stock_of(tea) == 10


def test_an_event_and_a_release_at_once_give_back_once(
    app, stocked, stock_of, reserve, release, tell, together
):
    """An older order asks in its own way while a newer one tells."""
    tea, reservation_id = stocked(stock=10), uuid4()
    reserve(reservation_id, {tea: 3})
    event_id = str(uuid4())

    def told():
        return tell(reservation_id, id=event_id)

    answers = together([told, lambda: release(reservation_id)] * 5)

    assert {answer.status_code for answer in answers} == {200, 204}
    assert stock_of(tea) == 10


def test_a_reservation_that_arrives_after_its_event_is_refused(stocked, stock_of, reserve, tell):
    """As after a release."""
    tea, reservation_id = stocked(stock=10), uuid4()
    tell(reservation_id)

    answer = reserve(reservation_id, {tea: 3})

    assert (answer.status_code, answer.json["code"]) == (409, "reservation_released")
    assert stock_of(tea) == 10


@pytest.mark.parametrize("unknown", [{"version": 2}, {"type": "OrderShipped"}])
def test_what_product_does_not_know_is_confirmed_and_skipped(
    stocked, stock_of, reserve, tell, noted, unknown
):
    """Whoever sends it need not send it again."""
    tea, reservation_id = stocked(stock=10), uuid4()
    reserve(reservation_id, {tea: 3})

    answer = tell(reservation_id, **unknown)

    assert (answer.status_code, answer.json) == (200, {"outcome": "skipped"})
    assert (stock_of(tea), noted()) == (7, 0)


@pytest.mark.parametrize("data", [{}, {"reservation_id": "seven"}, {"reservation_id": None}])
def test_a_cancelled_order_that_names_no_reservation_is_refused(tell, noted, data):
    """422, and not noted: a corrected one may come."""
    answer = tell(uuid4(), data=data)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert noted() == 0


@pytest.mark.parametrize("api", ["v1", "v2", "v3"])
def test_a_part_of_a_cancelled_order_is_given_back_alone(
    preview, stocked, stock_of, reserve, tell_of_a_part, tell, noted, api
):
    """And the rest by what cancels the rest."""
    tea, cup = stocked(stock=10), stocked(stock=5)
    reservation_id = uuid4()
    reserve(reservation_id, {tea: 3, cup: 5})

    answer = tell_of_a_part(reservation_id, {tea: 1, cup: 5}, api=api)
    after_the_part = (stock_of(tea), stock_of(cup))
    tell(reservation_id)

    assert (answer.status_code, answer.json) == (200, {"outcome": "applied"})
    assert after_the_part == (8, 5)
    assert (stock_of(tea), stock_of(cup), noted()) == (10, 5, 2)


def test_a_part_that_comes_again_gives_nothing_more_back(
    stocked, stock_of, reserve, tell_of_a_part
):
    """Another event of as much is another part."""
    tea, reservation_id, event_id = stocked(stock=10), uuid4(), str(uuid4())
    reserve(reservation_id, {tea: 3})

    outcomes = [
        tell_of_a_part(reservation_id, {tea: 1}, id=each).json["outcome"]
        for each in (event_id, event_id, str(uuid4()))
    ]

    assert outcomes == ["applied", "repeated", "applied"]
    assert stock_of(tea) == 9


@pytest.mark.parametrize("first", ["event", "release"])
def test_a_part_that_comes_after_the_whole_gives_nothing_more_back(
    stocked, stock_of, reserve, release, tell, tell_of_a_part, first
):
    """Whichever release of order cancelled the whole."""
    tea, reservation_id = stocked(stock=10), uuid4()
    reserve(reservation_id, {tea: 3})
    tell(reservation_id) if first == "event" else release(reservation_id)

    assert tell_of_a_part(reservation_id, {tea: 1}).json == {"outcome": "applied"}
    assert stock_of(tea) == 10


def test_a_part_gives_no_more_back_than_is_left(stocked, stock_of, reserve, tell_of_a_part):
    """Nor of what the reservation never had, nor of one that there is not."""
    tea, cup, reservation_id = stocked(stock=10), stocked(stock=5), uuid4()
    reserve(reservation_id, {tea: 3})

    for items in ({tea: 2, cup: 1}, {tea: 2}, {tea: 1}):
        tell_of_a_part(reservation_id, items)
    tell_of_a_part(uuid4(), {cup: 1})

    assert (stock_of(tea), stock_of(cup)) == (10, 5)


def test_parts_and_the_whole_at_once_give_back_what_was_reserved(
    app, stocked, stock_of, reserve, release, tell_of_a_part, together
):
    """In any order, many times over, with new orders of the same products between them."""
    tea, cup = stocked(stock=1000), stocked(stock=1000)
    reserved = [uuid4() for _ in range(10)]
    for reservation_id in reserved:
        reserve(reservation_id, {tea: 5, cup: 5})
    parts = [
        lambda each=each: tell_of_a_part(each, {cup: 1, tea: 2})
        for each in reserved
        for _ in range(3)
    ]
    wholes = [lambda each=each: release(each) for each in reserved]
    new = [lambda: reserve(uuid4(), {tea: 1, cup: 1}) for _ in range(10)]

    answers = together([*parts[::2], *wholes, *new, *parts[1::2]])

    assert {answer.status_code for answer in answers} == {200, 201, 204}
    assert (stock_of(tea), stock_of(cup)) == (990, 990)


@pytest.mark.parametrize(
    "wrong",
    [
        {"items": []},
        {"items": [{"product_id": 1, "quantity": 0}]},
        {"items": [{"product_id": 1, "quantity": 1}] * 2},
        {"items": None},
        {"part_of": "seven"},
    ],
)
def test_a_part_of_another_shape_is_refused(tell, noted, wrong):
    """422, and not noted: a corrected one may come."""
    data = {"part_of": str(uuid4()), "items": [{"product_id": 1, "quantity": 1}], **wrong}
    answer = tell(uuid4(), data=data)

    assert (answer.status_code, answer.json["code"]) == (422, "invalid_request")
    assert noted() == 0


@pytest.mark.parametrize(
    "wrong", [{"id": "seven"}, {"type": ""}, {"version": "1"}, {"key": ""}, {"data": []}]
)
def test_what_is_no_event_is_refused(tell, wrong):
    """The errors name the field."""
    answer = tell(uuid4(), **wrong)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == list(wrong)
