"""What the routes refuse, and how."""

import pytest

pytestmark = pytest.mark.integration

NOBODYS = "00000000-0000-4000-8000-000000000000"  # an order that there is not
ITEM = {"product_id": 1, "quantity": 1}


@pytest.fixture
def post(app, router):
    """Send any body as ada, with any headers on top."""

    def send(body, **headers):
        base = {"Authorization": f"Bearer {router.token('ada')}", "Idempotency-Key": "mine"}
        kept = {name: value for name, value in {**base, **headers}.items() if value is not None}
        return app.test_client().post("/api/v1/orders", json=body, headers=kept)

    return send


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/api/v1/orders"),
        ("GET", "/api/v1/orders"),
        ("GET", f"/api/v1/orders/{NOBODYS}"),
        ("POST", f"/api/v1/orders/{NOBODYS}/cancel"),
    ],
)
@pytest.mark.parametrize(
    ("authorization", "code"),
    [(None, "token_missing"), ("Basic YTpi", "token_missing"), ("Bearer x.y.z", "token_invalid")],
)
def test_no_route_answers_without_a_token(app, method, path, authorization, code):
    """Whatever else is wrong with the request."""
    headers = {"Authorization": authorization} if authorization else {}

    answer = app.test_client().open(path, method=method, headers=headers)

    assert answer.status_code == 401
    assert answer.json["code"] == code
    assert "WWW-Authenticate" in answer.headers


@pytest.mark.parametrize("key", [None, "", "x" * 129, "with space", "schl\u00fcssel"])
def test_an_order_needs_a_usable_key(post, books, key):
    """400 says which header, and what it takes."""
    answer = post({"items": [ITEM]}, **{"Idempotency-Key": key})

    assert answer.status_code == 400
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "key_invalid"
    assert "Idempotency-Key" in answer.json["detail"]
    assert books.statuses() == []


@pytest.mark.parametrize("key", ["x", "x" * 128, '"quoted"', "~!@#$%^&*()"])
def test_a_key_is_any_visible_ascii(post, tea, key):
    """Clients make them as they like."""
    body = {"items": [{"product_id": tea, "quantity": 1}]}

    statuses = [post(body, **{"Idempotency-Key": key}).status_code for _ in range(2)]

    assert statuses == [201, 200]


@pytest.mark.parametrize(
    ("items", "field"),
    [
        ([], "items"),
        (None, "items"),
        ({}, "items"),
        ([ITEM, {**ITEM, "quantity": 2}], "items"),
        ([{**ITEM, "product_id": number} for number in range(1, 22)], "items"),
        ([{**ITEM, "quantity": 0}], "items.0.quantity"),
        ([{**ITEM, "quantity": -1}], "items.0.quantity"),
        ([{**ITEM, "quantity": 10_001}], "items.0.quantity"),
        ([{**ITEM, "quantity": 1.5}], "items.0.quantity"),
        ([{**ITEM, "quantity": "1"}], "items.0.quantity"),
        ([{**ITEM, "quantity": True}], "items.0.quantity"),
        ([{"product_id": 1}], "items.0.quantity"),
        ([{**ITEM, "product_id": 0}], "items.0.product_id"),
        ([{**ITEM, "product_id": 2**63}], "items.0.product_id"),
        ([{**ITEM, "product_id": None}], "items.0.product_id"),
        ([{"quantity": 1}], "items.0.product_id"),
    ],
)
def test_items_out_of_bounds_are_refused(post, router, books, items, field):
    """422, naming the place of the fault; product is not asked."""
    answer = post({"items": items})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
    assert (books.statuses(), router.calls) == ([], [])


def test_the_largest_order_there_may_be_is_placed(ada, shop):
    """The bounds are exact."""
    ids = [shop.add(stock=10_000) for _ in range(20)]

    answer = ada.place(dict.fromkeys(ids, 10_000))

    assert answer.status_code == 201
    assert set(shop.stock.values()) == {0}


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"items=1", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (b"[]", "application/json", 422),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(app, router, data, content_type, status):
    """As a problem of the caller's, whatever was sent."""
    headers = {"Authorization": f"Bearer {router.token('ada')}", "Idempotency-Key": "mine"}

    answer = app.test_client().post(
        "/api/v1/orders", data=data, content_type=content_type, headers=headers
    )

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_a_field_that_is_not_known_is_ignored(post, tea):
    """A newer caller may meet an older slot in the middle of a rollout."""
    body = {"items": [{"product_id": tea, "quantity": 1, "gift": True}], "note": "quick"}

    assert post(body).status_code == 201
    assert post({"items": [{"product_id": tea, "quantity": 1}]}).status_code == 200


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=many", "limit"),
        ("after=1", "after"),
        ("after=", "after"),
    ],
)
def test_a_query_out_of_bounds_is_refused(ada, query, field):
    """422, naming the parameter at fault."""
    answer = ada.get(f"orders?{query}")

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]
