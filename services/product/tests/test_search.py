"""Searching the catalogue: v2 and v3 know how, v1 takes no notice."""

from urllib.parse import parse_qs, urljoin, urlsplit

import pytest

from product import shapes
from product.changes.v3 import next_link

pytestmark = pytest.mark.integration

CATALOGUE = (
    {"name": "Green tea", "price": "4.50", "category": "tea"},
    {"name": "Black TEA", "price": "3.00", "category": "tea", "stock": 0},
    {"name": "Cup, 50 %", "price": "8.00", "category": "cups"},
    {"name": "Tea_pot", "price": "20.00"},
)
NAMES = [each["name"] for each in CATALOGUE]


@pytest.fixture
def client(preview, app, database):
    """With the preview."""
    return app.test_client()


@pytest.fixture
def catalogue(stocked):
    """A few products."""
    return [stocked(**each) for each in CATALOGUE]


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, NAMES),
        ({"name": "tea"}, ["Green tea", "Black TEA", "Tea_pot"]),
        ({"name": "TEA"}, ["Green tea", "Black TEA", "Tea_pot"]),
        ({"name": "%"}, ["Cup, 50 %"]),
        ({"name": "_"}, ["Tea_pot"]),
        ({"name": "/"}, []),
        ({"name": "'"}, []),
        ({"name": "n t"}, ["Green tea"]),
        ({"category": "tea"}, ["Green tea", "Black TEA"]),
        ({"price_cents_from": 450}, ["Green tea", "Cup, 50 %", "Tea_pot"]),
        ({"price_cents_to": 450}, ["Green tea", "Black TEA"]),
        ({"price_cents_from": 450, "price_cents_to": 800}, ["Green tea", "Cup, 50 %"]),
        ({"price_cents_from": 800, "price_cents_to": 450}, []),
        ({"in_stock": "true"}, ["Green tea", "Cup, 50 %", "Tea_pot"]),
        ({"in_stock": "false"}, NAMES),
        ({"name": "tea", "category": "tea", "in_stock": "true"}, ["Green tea"]),
    ],
)
@pytest.mark.parametrize("version", ["v2", "v3"])
def test_a_search_finds_what_is_all_of_what_was_said(client, catalogue, version, query, found):
    """In the order of ids; nothing in a name's words is a pattern."""
    answer = client.get(f"/api/{version}/products", query_string=query)

    assert [item["name"] for item in answer.json["items"]] == found


def test_v1_takes_no_notice(client, catalogue):
    """Its clients were told of none of this, and of no cents."""
    query = {"name": "tea", "price_cents_from": "x", "in_stock": "perhaps"}
    answer = client.get("/api/v1/products", query_string=query)

    assert [item["name"] for item in answer.json["items"]] == NAMES


def test_a_search_is_followed_page_by_page_to_its_end(client, stocked):
    """By v3's links, which ask for the same; products that come meanwhile come at the end."""
    ids = [stocked(name=name) for name in ("Tea & co", "Cup", "Tea & co", "Tea", "Tea & co")]
    query = {"name": "tea &", "limit": 1, "in_stock": "true", "price_cents_to": 450}
    answer = client.get("/api/v3/products", query_string=query).json
    seen, path = answer["items"], urljoin("/api/v3/products", answer["next"])
    ids.append(stocked(name="Tea & co"))
    while path:
        page = client.get(path).json
        seen += page["items"]
        path = page["next"] and urljoin(path, page["next"])

    assert [item["id"] for item in seen] == [ids[index] for index in (0, 2, 4, 5)]


def test_a_link_asks_for_all_that_was_asked_for():
    """Whatever is in it, and after another id."""
    query = shapes.PageQuery(
        limit=7,
        after=3,
        name="after=9&in_stock=ä",
        category="tea",
        price_cents_to=0,
        in_stock="true",
    )
    link = urlsplit(next_link(20, query))

    assert link.path == "products"
    assert parse_qs(link.query) == {
        "after": ["20"],
        "limit": ["7"],
        "name": ["after=9&in_stock=ä"],
        "category": ["tea"],
        "price_cents_to": ["0"],
        "in_stock": ["true"],
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("name", ""),
        ("name", "tea\0"),
        ("name", "x" * 201),
        ("price_cents_from", "-1"),
        ("price_cents_from", "4.50"),
        ("price_cents_to", "cheap"),
        ("price_cents_to", str(10**12)),
        ("in_stock", ""),
        ("in_stock", "yes"),
        ("in_stock", "1"),
    ],
)
def test_a_search_out_of_bounds_is_refused(client, field, value):
    """422, naming the parameter at fault."""
    answer = client.get("/api/v2/products", query_string={field: value})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]
