"""Filling the catalogue, and setting stock."""

import pytest
from sqlalchemy import select

from product.tables import products

pytestmark = pytest.mark.integration

BODY = {"sku": "tea-1", "name": "Green tea", "price": "4.50", "stock": 10}


def test_adding_a_product_answers_it_with_its_id(client):
    """The answer is what reading the product answers from then on."""
    answer = client.post("/api/v1/inventory", json=BODY)

    assert answer.status_code == 201
    assert answer.json == {**BODY, "id": answer.json["id"], "description": "", "category": None}
    assert client.get(f"/api/v1/products/{answer.json['id']}").json == answer.json


def test_a_product_may_have_a_description(client):
    """Of several lines, and without the blanks around it."""
    answer = client.post(
        "/api/v1/inventory", json={**BODY, "description": " First flush.\nLoose. "}
    )

    assert answer.status_code == 201
    assert answer.json["description"] == "First flush.\nLoose."
    assert client.get(f"/api/v1/products/{answer.json['id']}").json == answer.json


def test_a_product_may_have_a_category(client):
    """One that fits into a URL as it is."""
    answer = client.post("/api/v1/inventory", json={**BODY, "category": "green-tea-2"})

    assert answer.status_code == 201
    assert answer.json["category"] == "green-tea-2"
    assert client.get(f"/api/v1/products/{answer.json['id']}").json == answer.json


def test_a_description_has_an_end(client):
    """2,000 characters are taken, one more is not."""
    longest = client.post("/api/v1/inventory", json={**BODY, "description": "x" * 2000})
    answer = client.post("/api/v1/inventory", json={**BODY, "sku": "b", "description": "x" * 2001})

    assert longest.status_code == 201
    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["description"]


def test_a_sku_is_one_product(client):
    """409 with a stable code, and the first product stays as it is."""
    first = client.post("/api/v1/inventory", json=BODY)

    answer = client.post("/api/v1/inventory", json={**BODY, "name": "Other", "price": "1.00"})

    assert answer.status_code == 409
    assert answer.json["code"] == "sku_taken"
    assert client.get("/api/v1/products").json["items"] == [first.json]


def test_of_many_that_add_one_sku_at_once_one_succeeds(app, client, together):
    """The database decides, not a look before the write."""
    add = lambda: app.test_client().post("/api/v1/inventory", json=BODY).status_code  # noqa: E731

    assert sorted(together([add] * 8)) == [201] + [409] * 7
    assert len(client.get("/api/v1/products").json["items"]) == 1


@pytest.mark.parametrize(
    ("price", "shown"),
    [
        ("0", "0.00"),
        ("0.01", "0.01"),
        ("9999999999.99", "9999999999.99"),
        ("0.29", "0.29"),
        ("1E+1", "10.00"),
        (3, "3.00"),
        (1.5, "1.50"),
    ],
)
def test_a_price_is_shown_with_two_decimals(client, price, shown):
    """However it was written."""
    answer = client.post("/api/v1/inventory", json={**BODY, "price": price})

    assert answer.status_code == 201
    assert answer.json["price"] == shown


def test_a_price_is_kept_in_whole_cents(client, database):
    """No rounding on the way: 0.29 is not 28.999."""
    client.post("/api/v1/inventory", json={**BODY, "price": "0.29"})
    with database.connect() as connection:
        assert connection.execute(select(products.c.price_cents)).scalar_one() == 29


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("sku", ""),
        ("sku", "x" * 65),
        ("sku", "green tea"),
        ("sku", "tea\n"),
        ("sku", None),
        ("sku", 7),
        ("name", ""),
        ("name", "   "),
        ("name", "x" * 201),
        ("name", "tea\0"),
        ("category", ""),
        ("category", "x" * 65),
        ("category", "Tea"),
        ("category", "green tea"),
        ("category", "tea-"),
        ("category", "tea\n"),
        ("category", 7),
        ("price", "-0.01"),
        ("price", "1.005"),
        ("price", "10000000000.00"),
        ("price", "NaN"),
        ("price", "Infinity"),
        ("price", "cheap"),
        ("price", None),
        ("stock", -1),
        ("stock", 1_000_000_001),
        ("stock", 1.5),
        ("stock", "10"),
        ("stock", True),
    ],
)
def test_a_product_out_of_bounds_is_refused(client, field, value):
    """422, naming the field at fault and no other; nothing is added."""
    answer = client.post("/api/v1/inventory", json={**BODY, field: value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert client.get("/api/v1/products").json["items"] == []


def test_a_body_that_lacks_everything_names_all_fields(client):
    """All faults are told at once."""
    answer = client.post("/api/v1/inventory", json={})

    assert answer.status_code == 422
    assert {error["field"] for error in answer.json["errors"]} == set(BODY)


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"sku=tea", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, data, content_type, status):
    """As a problem of the caller's, whatever was sent."""
    answer = client.post("/api/v1/inventory", data=data, content_type=content_type)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_setting_the_stock_answers_the_product(client, stocked):
    """And says it again when repeated: it is a number, not a difference."""
    product_id = stocked(stock=3)

    first, second = (
        client.put(f"/api/v1/inventory/{product_id}/stock", json={"stock": 50}) for _ in range(2)
    )

    assert first.status_code == second.status_code == 200
    assert first.json == second.json == client.get(f"/api/v1/products/{product_id}").json
    assert first.json["stock"] == 50


def test_setting_the_stock_leaves_other_products_alone(client, stocked, stock_of):
    """One product a call."""
    other, product_id = stocked(stock=3), stocked(stock=3)

    client.put(f"/api/v1/inventory/{product_id}/stock", json={"stock": 50})

    assert stock_of(other) == 3


@pytest.mark.parametrize("product_id", [0, 4711, 2**63])
def test_setting_the_stock_of_no_product_is_refused(client, product_id):
    """404 with a stable code."""
    answer = client.put(f"/api/v1/inventory/{product_id}/stock", json={"stock": 1})

    assert answer.status_code == 404
    assert answer.json["code"] == "product_missing"


@pytest.mark.parametrize("stock", [-1, 1_000_000_001, "1", None, 0.5])
def test_a_stock_out_of_bounds_is_refused(client, stocked, stock_of, stock):
    """422, and the stock stays as it was."""
    product_id = stocked(stock=3)

    answer = client.put(f"/api/v1/inventory/{product_id}/stock", json={"stock": stock})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["stock"]
    assert stock_of(product_id) == 3


@pytest.mark.parametrize(
    ("version", "change"), [("v1", {"price": "7.05"}), ("v2", {"price_cents": 705})]
)
def test_setting_the_price_answers_the_product(client, stocked, version, change):
    """In the shape of the version that was called; another product costs what it did."""
    other, product_id = stocked(price="4.50"), stocked(price="4.50")

    answer = client.put(f"/api/{version}/inventory/{product_id}/price", json=change)

    assert answer.status_code == 200
    assert answer.json == client.get(f"/api/{version}/products/{product_id}").json
    assert {**answer.json, **change} == answer.json
    assert client.get(f"/api/v1/products/{other}").json["price"] == "4.50"


@pytest.mark.parametrize("product_id", [0, 4711, 2**63])
def test_setting_the_price_of_no_product_is_refused(client, product_id):
    """404 with a stable code."""
    answer = client.put(f"/api/v2/inventory/{product_id}/price", json={"price_cents": 1})

    assert answer.status_code == 404
    assert answer.json["code"] == "product_missing"


@pytest.mark.parametrize("cents", [-1, 1_000_000_000_000, "1", None, 0.5])
def test_a_new_price_out_of_bounds_is_refused(client, stocked, cents):
    """422, and the price stays as it was."""
    product_id = stocked(price="4.50")

    answer = client.put(f"/api/v2/inventory/{product_id}/price", json={"price_cents": cents})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["price_cents"]
    assert client.get(f"/api/v1/products/{product_id}").json["price"] == "4.50"


def test_what_is_given_back_adds_to_a_stock_set_meanwhile(
    client, stocked, stock_of, reserve, release
):
    """Even to the highest stock there may be."""
    product_id = stocked(stock=1_000_000_000)
    ids = [f"00000000-0000-4000-8000-00000000000{number}" for number in range(4)]
    for reservation_id in ids:
        assert reserve(reservation_id, {product_id: 1_000_000}).status_code == 201

    client.put(f"/api/v1/inventory/{product_id}/stock", json={"stock": 1_000_000_000})
    for reservation_id in ids:
        release(reservation_id)

    assert stock_of(product_id) == 1_004_000_000
