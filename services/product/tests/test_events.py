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


@pytest.mark.parametrize(
    "wrong", [{"id": "seven"}, {"type": ""}, {"version": "1"}, {"key": ""}, {"data": []}]
)
def test_what_is_no_event_is_refused(tell, wrong):
    """The errors name the field."""
    answer = tell(uuid4(), **wrong)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == list(wrong)
