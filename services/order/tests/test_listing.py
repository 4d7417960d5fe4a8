"""Listing in the newest version: pages by cursor, which stay what they are while orders come and go."""

from base64 import urlsafe_b64encode
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from order import orders
from order.cursor import CursorInvalid, cursor_after, order_before
from order.orders import CustomerId
from order.tables import orders as table

V2 = "/api/v2/orders"


@pytest.fixture
def page(app, router):
    """Read a page as somebody."""

    def read(query="", *, subject="ada"):
        headers = {"Authorization": f"Bearer {router.token(subject)}"}
        return app.test_client().get(f"{V2}?{query}", headers=headers)

    return read


@pytest.fixture
def follow(page):
    """Follow the cursors to the end, doing something before each further page; return the ids of each."""

    def read(query, *, between=lambda: None):
        answer = page(query).json
        pages = [[item["id"] for item in answer["items"]]]
        while answer["next_cursor"]:
            between()
            answer = page(f"{query}&cursor={answer['next_cursor']}").json
            pages.append([item["id"] for item in answer["items"]])
        return pages

    return read


@pytest.mark.integration
@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 4), (2, [2, 2]), (3, [3, 1]), (4, [4])])
def test_orders_that_are_placed_meanwhile_move_no_page(follow, ada, bob, tea, cup, limit, sizes):
    """Each of those that there were is shown once, newest first, and none of the new ones."""
    ids = [ada.place({tea: 1, cup: 1}).json["id"] for _ in range(4)]

    pages = follow(f"limit={limit}", between=lambda: (ada.place({tea: 1}), bob.place({tea: 1})))

    assert [len(each) for each in pages] == sizes
    assert [order_id for each in pages for order_id in each] == ids[::-1]


@pytest.mark.integration
def test_orders_that_are_cancelled_meanwhile_move_no_page(follow, ada, tea):
    """Not even when the one that a cursor names leaves the list."""
    ids = [ada.place({tea: 1}).json["id"] for _ in range(5)]
    left = [ids[1], ids[2], ids[4]]

    pages = follow("limit=1&status=placed", between=lambda: ada.cancel(left.pop()))

    assert pages == [[ids[4]], [ids[3]], [ids[1]], [ids[0]]]


@pytest.mark.integration
def test_a_status_lists_the_orders_that_have_it(page, ada, bob, database, tea):
    """Those that say so, whatever product has heard; and all of them together are what is listed without."""
    ids = [ada.place({tea: 1}).json["id"] for _ in range(3)]
    bob.place({tea: 1})
    ada.cancel(ids[0])
    with (
        database.begin() as connection
    ):  # as a release before 1.2.0 leaves it until product has answered
        left = update(table).values(**orders.columns(orders.Status.CANCELLING))
        connection.execute(left.where(table.c.id == ids[1]))
    listed = {status: page(f"status={status}").json["items"] for status in orders.VISIBLE}

    assert {status: [each["id"] for each in items] for status, items in listed.items()} == {
        "cancelled": [ids[0]],
        "cancelling": [ids[1]],
        "placed": [ids[2]],
    }
    assert all(each["status"] == status for status, items in listed.items() for each in items)
    assert [item["id"] for item in page().json["items"]] == ids[::-1]


@pytest.mark.integration
@pytest.mark.parametrize("status", ["pending", "releasing", "gone", "PLACED", ""])
def test_a_status_that_no_customer_sees_cannot_be_asked_for(page, status):
    """422 names those that can."""
    answer = page(f"status={status}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["status"]
    assert "'placed', 'cancelling' or 'cancelled'" in answer.json["errors"][0]["message"]


@pytest.mark.integration
@pytest.mark.parametrize(
    "cursor", ["", "1", "6ce28c18-dea9-4a50-b182-fcf88d7fddc1", "A" * 28, "é" * 28, "'; --"]
)
def test_a_cursor_that_no_page_has_said_is_refused(page, cursor):
    """400, and the way out."""
    answer = page(f"cursor={cursor}")

    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")
    assert answer.mimetype == "application/problem+json"
    assert "begin without one" in answer.json["detail"]


@pytest.mark.integration
def test_somebody_elses_cursor_tells_nothing(page, ada, bob, tea):
    """There is nothing after it, as there is nothing after an order that there is not."""
    for customer in (ada, ada, bob, bob):
        customer.place({tea: 1})
    theirs = page("limit=1").json["next_cursor"]

    for cursor in (theirs, cursor_after(uuid4())):
        answer = page(f"cursor={cursor}", subject="bob")
        assert (answer.status_code, answer.json) == (200, {"items": [], "next_cursor": None})


@pytest.mark.integration
@pytest.mark.parametrize("status", orders.VISIBLE)
def test_a_page_of_a_status_is_read_from_the_index_of_what_is_shown(database, plan, status):
    """The rows that have another one are read, and passed over."""
    read = plan(
        lambda: orders.page(database, CustomerId("ada"), after=None, limit=20, status=status)
    )

    assert "orders_shown" in read


@given(st.uuids())
def test_a_cursor_says_what_it_was_made_of(order_id):
    """In words that need no escape in a URL, all of one length."""
    cursor = cursor_after(order_id)

    assert order_before(cursor) == order_id
    assert len(cursor) == 28
    assert set(cursor) <= {*map(chr, range(128))} - set("+/=&?#% ")


@given(st.uuids(), st.integers(0, 27), st.sampled_from("Aa0-_z"))
def test_a_cursor_with_another_character_is_none(order_id, place, character):
    """Wherever that is."""
    cursor = cursor_after(order_id)
    changed = cursor[:place] + character + cursor[place + 1 :]

    if changed != cursor:
        with pytest.raises(CursorInvalid):
            order_before(changed)


@given(
    st.text(max_size=40)
    | st.binary(min_size=21, max_size=21).map(lambda raw: urlsafe_b64encode(raw).decode())
)
def test_any_other_text_is_no_cursor(text):
    """And no fault of ours."""
    with pytest.raises(CursorInvalid):
        order_before(text)
