"""What a product costs and has cost: kept by the database, and listed newest first."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import urljoin

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text, update

from product.cursor import CursorInvalid, cursor_after, number_before
from product.tables import products

NUMBERS = st.integers(1, 2**63 - 1)


@pytest.fixture
def client(preview, app):
    """With the preview."""
    return app.test_client()


@pytest.fixture
def reprice(client):
    """Change a product's price, again and again."""

    def change(product_id, *cents):
        for each in cents:
            changed = client.put(
                f"/api/v2/inventory/{product_id}/price", json={"price_cents": each}
            )
            assert changed.status_code == 200

    return change


@pytest.fixture
def prices(client):
    """Read a page of a product's prices."""
    return lambda product_id, query="", version="v2": client.get(
        f"/api/{version}/products/{product_id}/prices?{query}"
    )


@pytest.fixture
def cents(prices):
    """The newest prices of a product."""
    return lambda product_id: [each["price_cents"] for each in prices(product_id).json["items"]]


@pytest.mark.integration
def test_every_price_is_listed_with_its_time_the_newest_first(stocked, reprice, prices):
    """The first one is that of the beginning; times are the database's, in their order."""
    product_id = stocked()
    reprice(product_id, 500, 450)

    items = prices(product_id).json["items"]
    times = [datetime.fromisoformat(each["since"]) for each in items]

    assert [each["price_cents"] for each in items] == [450, 500, 450]
    assert times == sorted(times, reverse=True)
    assert abs(datetime.now(UTC) - times[0]) < timedelta(minutes=5)


@pytest.mark.integration
@pytest.mark.parametrize(
    ("version", "shown", "end"),
    [
        ("v1", {"price": "12.05"}, "next_cursor"),
        ("v2", {"price_cents": 1205}, "next_cursor"),
        ("v3", {"price_cents": 1205}, "next"),
    ],
)
def test_each_version_says_a_price_as_it_says_a_products(stocked, prices, version, shown, end):
    """No more fields, and no fewer."""
    page = prices(stocked(price="12.05"), version=version).json
    (item,) = page["items"]

    assert page == {"items": [{**shown, "since": item["since"]}], end: None}


@pytest.mark.integration
def test_a_price_that_is_written_as_it_is_is_no_change(stocked, reprice, client, cents, reserve):
    """Nor is a reservation, or another stock."""
    product_id = stocked()
    reprice(product_id, 450, 450)
    client.put(f"/api/v2/inventory/{product_id}/stock", json={"stock": 5})
    reserve("6ce28c18-dea9-4a50-b182-fcf88d7fddc1", {product_id: 1})

    assert cents(product_id) == [450]


@pytest.mark.integration
def test_a_change_that_is_taken_back_was_none(database, stocked, cents):
    """The record is written in the transaction of the price."""
    product_id = stocked()
    with database.connect() as connection:
        connection.execute(update(products).values(price_cents=1))
        connection.rollback()

    assert cents(product_id) == [450]


@pytest.mark.integration
def test_a_price_that_an_older_release_writes_is_kept_as_well(database, stocked, cents):
    """1.1.0 knows the decimal number alone."""
    product_id = stocked()
    with database.begin() as connection:
        old = text("UPDATE products SET price = :price WHERE id = :id")
        connection.execute(old, {"price": Decimal("4.90"), "id": product_id})
        new = text(
            "INSERT INTO products (sku, name, price, stock) VALUES ('old', 'Tea', 7, 1) RETURNING id"
        )
        added = connection.execute(new).scalar_one()

    assert (cents(product_id), cents(added)) == ([490, 450], [700])


@pytest.mark.integration
def test_prices_that_many_change_at_once_are_in_the_order_of_their_changes(
    stocked, reprice, client, together, cents
):
    """The newest one is the product's, and none is lost."""
    product_id = stocked()
    together([lambda each=each: reprice(product_id, each) for each in range(1000, 1030)])

    found = cents(product_id)
    costs = client.get(f"/api/v2/products/{product_id}").json["price_cents"]
    rest = client.get(f"/api/v2/products/{product_id}/prices?limit=100").json["items"]

    assert found[0] == costs
    assert {each["price_cents"] for each in rest} == {450, *range(1000, 1030)}
    assert len(rest) == 31


@pytest.mark.integration
@pytest.mark.parametrize(("limit", "sizes"), [(1, [1] * 5), (2, [2, 2, 1]), (5, [5]), (100, [5])])
@pytest.mark.parametrize("version", ["v1", "v2"])
def test_prices_that_change_meanwhile_move_no_page(stocked, reprice, prices, version, limit, sizes):
    """Each of those that there were is shown once, and none of the new ones, nor another product's."""
    product_id, other = stocked(), stocked()
    reprice(product_id, 1, 2, 3, 4)
    pages, cursor = [], ""
    while cursor is not None:
        page = prices(product_id, f"limit={limit}{cursor and f'&cursor={cursor}'}", version).json
        pages.append([each.get("price", each.get("price_cents")) for each in page["items"]])
        cursor = page["next_cursor"]
        reprice(product_id, 7, 8)
        reprice(other, 9)

    whole = {"v1": ["0.04", "0.03", "0.02", "0.01", "4.50"], "v2": [4, 3, 2, 1, 450]}
    assert [len(each) for each in pages] == sizes
    assert [price for each in pages for price in each] == whole[version]


@pytest.mark.integration
def test_pages_of_the_preview_link_to_each_other(client, stocked, reprice):
    """Relative to the page, wherever a router put that."""
    product_id = stocked()
    reprice(product_id, 1, 2)
    seen, path = [], f"/api/v3/products/{product_id}/prices?limit=2"
    while path:
        page = client.get(path).json
        seen += [each["price_cents"] for each in page["items"]]
        path = page["next"] and urljoin(path, page["next"])

    assert seen == [2, 1, 450]


@pytest.mark.integration
@pytest.mark.parametrize("product_id", [0, 4711, 2**63 - 1, 2**63, 10**30])
def test_a_product_that_there_is_not_has_no_prices(prices, product_id):
    """However high the number."""
    answer = prices(product_id)

    assert (answer.status_code, answer.json["code"]) == (404, "product_missing")
    assert answer.json["product_id"] == product_id


@pytest.mark.integration
@pytest.mark.parametrize("limit", ["0", "101", "-1", "many", ""])
def test_a_limit_out_of_bounds_is_refused(stocked, prices, limit):
    """422, naming it."""
    answer = prices(stocked(), f"limit={limit}")

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["limit"]


@pytest.mark.integration
@pytest.mark.parametrize("cursor", ["", "1", "A" * 20, "é" * 20, "'; --", "A" * 4000])
def test_a_cursor_that_no_page_has_said_is_refused(stocked, prices, cursor):
    """400, and the way out."""
    answer = prices(stocked(), f"cursor={cursor}")

    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")
    assert "begin without one" in answer.json["detail"]


@pytest.mark.integration
def test_another_products_cursor_is_refused(stocked, reprice, prices):
    """It would begin anywhere."""
    one, other = stocked(), stocked()
    reprice(one, 1)
    cursor = prices(one, "limit=1").json["next_cursor"]

    answer = prices(other, f"cursor={cursor}")

    assert prices(one, f"cursor={cursor}").status_code == 200
    assert (answer.status_code, answer.json["code"]) == (400, "cursor_invalid")


@given(NUMBERS, NUMBERS)
def test_a_cursor_says_what_it_was_made_of(number, product_id):
    """In words that need no escape in a URL, all of one length."""
    cursor = cursor_after(number, of=product_id)

    assert number_before(cursor, of=product_id) == number
    assert len(cursor) == 20
    assert set(cursor) <= {*map(chr, range(128))} - set("+/=&?#% ")


@given(NUMBERS, st.integers(0, 19), st.sampled_from("Aa0-_z"))
def test_a_cursor_with_another_character_is_none(number, place, character):
    """Wherever that is."""
    cursor = cursor_after(number, of=1)
    changed = cursor[:place] + character + cursor[place + 1 :]

    if changed != cursor:
        with pytest.raises(CursorInvalid):
            number_before(changed, of=1)


@given(
    st.text(max_size=40)
    | st.binary(min_size=15, max_size=15).map(lambda raw: urlsafe_b64encode(raw).decode())
)
def test_any_other_text_is_no_cursor(said):
    """And no fault of ours."""
    with pytest.raises(CursorInvalid):
        number_before(said, of=1)
