"""The versions of order's interface: one set of orders, priced and paged in three shapes."""

from datetime import timedelta
from decimal import Decimal
from timeit import repeat
from typing import get_args
from urllib.parse import urljoin
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from order import orders, shapes
from order.app import create
from order.changes import VERSIONS, v2, v3
from order.cursor import cursor_after

MONEY = {
    "v1": ({"unit_price": "4.50"}, {"total": "13.50"}),
    "v2": ({"unit_price_cents": 450}, {"total_cents": 1350}),
    "v3": ({"unit_price_cents": 450}, {"total_cents": 1350}),
}
ORDER = {
    "id": "order",
    "status": "placed",
    "items": [
        {"product_id": number, "quantity": 1, "unit_price_cents": 450} for number in range(5)
    ],
    "total_cents": 2250,
    "created_at": "",
    "cancelled_at": None,
}


@pytest.fixture
def app(preview, app):
    """With the preview."""
    return app


@pytest.fixture
def call(app, router):
    """Make a call as ada."""

    def make(method, path, **sent):
        headers = {"Authorization": f"Bearer {router.token('ada')}", "Idempotency-Key": uuid4().hex}
        headers.update(sent.pop("headers", {}))
        return app.test_client().open(path, method=method, headers=headers, **sent)

    return make


@pytest.mark.integration
@pytest.mark.parametrize("placed_by", MONEY)
def test_what_one_version_places_each_reads_in_its_own_shape(call, tea, placed_by):
    """No more fields, and no fewer; alone, in a list, and again by its key."""
    sent = {
        "json": {"items": [{"product_id": tea, "quantity": 3}]},
        "headers": {"Idempotency-Key": "k"},
    }
    placed = call("POST", f"/api/{placed_by}/orders", **sent)
    told = {key: placed.json[key] for key in ("id", "created_at")}

    assert placed.status_code == 201
    for version, (price, total) in MONEY.items():
        expected = {
            **told,
            "status": "placed",
            "cancelled_at": None,
            "items": [{"product_id": tea, "quantity": 3, **price}],
            **total,
        }
        again = call("POST", f"/api/{version}/orders", **sent)
        assert call("GET", f"/api/{version}/orders/{told['id']}").json == expected
        assert call("GET", f"/api/{version}/orders").json["items"] == [expected]
        assert (again.status_code, again.json) == (200, expected)
        assert again.headers["Idempotency-Replayed"] == "true"


@pytest.mark.integration
@pytest.mark.parametrize("version", MONEY)
def test_each_version_cancels(call, ada, tea, version):
    """And answers what it reads from then on."""
    order_id = ada.place({tea: 3}).json["id"]
    cancelled = call("POST", f"/api/{version}/orders/{order_id}/cancel")

    assert (cancelled.status_code, cancelled.json["status"]) == (200, "cancelled")
    assert call("GET", f"/api/{version}/orders/{order_id}").json == cancelled.json


@pytest.mark.integration
def test_pages_are_followed_by_id_by_cursor_or_by_link(call, ada, tea):
    """v3's link is relative to the page, wherever a router put that."""
    ids = [ada.place({tea: 1}).json["id"] for _ in range(5)][::-1]
    followed = {
        "v1": lambda _, page: page["next_after"] and f"orders?limit=2&after={page['next_after']}",
        "v2": lambda _, page: (
            page["next_cursor"] and f"orders?limit=2&cursor={page['next_cursor']}"
        ),
        "v3": lambda path, page: page["next"] and urljoin(path, page["next"]).rpartition("/")[2],
    }
    seen = {version: [] for version in followed}
    for version, follow in followed.items():
        path = "orders?limit=2"
        while path:
            page = call("GET", f"/api/{version}/{path}").json
            seen[version].append([item["id"] for item in page["items"]])
            path = follow(f"/api/{version}/{path}", page)

    assert seen == {version: [ids[:2], ids[2:4], ids[4:]] for version in followed}


@pytest.mark.integration
@pytest.mark.parametrize("version", ["v2", "v3"])
@pytest.mark.parametrize("items", [[{"product_id": 1, "quantity": 0}], []])
def test_a_refusal_is_the_same_in_every_version(call, version, items):
    """What is ordered has one shape in all of them."""
    old, new = (
        call("POST", f"/api/{each}/orders", json={"items": items}) for each in ("v1", version)
    )

    assert (old.status_code, new.status_code) == (422, 422)
    assert old.json["errors"] == new.json["errors"]


@pytest.mark.integration
def test_v1_has_no_part_of_what_came_later(call, ada, tea):
    """What it did not know it takes no notice of, as ever: neither a cursor nor a status."""
    placed = ada.place({tea: 1}).json

    answer = call("GET", "/api/v1/orders?cursor=anything&status=cancelled")

    assert (answer.status_code, answer.json) == (200, {"items": [placed], "next_after": None})


@pytest.mark.integration
def test_only_the_deprecated_version_says_that_it_is(call):
    """With its dates, and where to go."""
    old, new = (call("GET", f"/api/{version}/orders").headers for version in ("v1", "v2"))

    assert (old["Deprecation"], old["Sunset"]) == ("@1796083200", "Fri, 01 Dec 2028 00:00:00 GMT")
    assert '<../v2/orders>; rel="successor-version"' in old["Link"]
    assert {"Deprecation", "Sunset", "Link"}.isdisjoint(new.keys())
    assert VERSIONS[0].sunset - VERSIONS[0].deprecated >= timedelta(days=365)


@pytest.mark.integration
def test_after_its_sunset_v1_is_gone_and_the_others_are_not(app, router, tea, shop):
    """410 says where orders are placed now; nothing was."""
    ended = create(clock=lambda: VERSIONS[0].sunset).test_client()
    sent = {
        "json": {"items": [{"product_id": tea, "quantity": 1}]},
        "headers": {"Authorization": f"Bearer {router.token('ada')}", "Idempotency-Key": "k"},
    }
    old = ended.post("/api/v1/orders", **sent)

    assert (old.status_code, old.json["code"]) == (410, "version_gone")
    assert (old.json["successor"], shop.held) == ("../v2/orders", {})
    assert ended.post("/api/v2/orders", **sent).status_code == 201


def test_the_preview_is_not_there_unless_it_is_asked_for(instance):
    """As if nobody had thought of it: the same 404 as anywhere else."""
    client = instance("postgresql://127.0.0.1:9/nowhere", "http://127.0.0.1:9").test_client()
    answers = [client.get(path) for path in ("/api/v3/orders", "/api/v3/docs")]

    assert [(each.status_code, each.json["code"]) for each in answers] == [(404, "not_found")] * 2


def test_a_status_that_can_be_asked_for_is_one_that_is_seen():
    """The document's words and the code's set are one."""
    assert get_args(shapes.ShownStatus) == orders.VISIBLE


@given(st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=2))
def test_every_price_is_read_by_v1_to_the_cent(price):
    """Up to the highest that the table holds."""
    item = {"product_id": 1, "quantity": 1, "unit_price_cents": int(price.scaleb(2))}
    body = v2.in_decimals({"items": [item], "total_cents": item["unit_price_cents"]})

    assert body["items"][0]["unit_price"] == body["total"] == f"{price:.2f}"


@given(st.uuids(), st.integers(1, 100), st.sampled_from([None, *get_args(shapes.ShownStatus)]))
def test_the_same_page_follows_in_every_version(order_id, limit, status):
    """By v3's link, by the cursor in it, and by the id that v1 answers."""
    link = v3.next_link(cursor_after(order_id), limit=limit, status=status)
    middle = v3.with_a_cursor({"items": [], "next": link})
    oldest = v2.with_an_id(middle)

    assert oldest == {"items": [], "next_after": str(order_id)}
    assert v2.by_cursor({"after": UUID(oldest["next_after"]), "limit": limit}) == {
        "cursor": middle["next_cursor"],
        "limit": limit,
    }


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (v2.by_cursor, {"after": uuid4(), "limit": 20}),
        (v2.in_decimals, ORDER),
        (v3.with_a_cursor, {"items": [], "next": v3.next_link(cursor_after(uuid4()), limit=20)}),
        (v2.with_an_id, {"items": [], "next_cursor": cursor_after(uuid4())}),
    ],
)
def test_a_step_costs_microseconds(step, body):
    """Ten by its target, five times that on a machine that does other things beside. A page has a step an order."""
    rounds = repeat(lambda: step(body), number=1000, repeat=50)

    assert min(rounds) / 1000 < 5 * 10e-6
