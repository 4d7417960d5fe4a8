"""The versions of product's interface: one catalogue, priced and paged in three shapes."""

from decimal import Decimal
from itertools import product
from timeit import repeat
from urllib.parse import urljoin

import pytest
from contract.patterns import differing
from hypothesis import given
from hypothesis import strategies as st

from product import shapes
from product.changes import VERSIONS, v2, v3

NEW = {"sku": "tea", "name": "Tea", "stock": 10}
PRICES = {"v1": {"price": "4.50"}, "v2": {"price_cents": 450}, "v3": {"price_cents": 450}}


@pytest.fixture
def client(preview, app):
    """With the preview."""
    return app.test_client()


@pytest.mark.integration
@pytest.mark.parametrize("written_by", PRICES)
def test_what_one_version_writes_each_reads_in_its_own_shape(client, written_by):
    """No more fields, and no fewer."""
    added = client.post(f"/api/{written_by}/inventory", json={**NEW, **PRICES[written_by]})
    product_id = added.json["id"]
    read = {version: client.get(f"/api/{version}/products/{product_id}").json for version in PRICES}

    assert added.status_code == 201
    assert read == {
        version: {**NEW, "id": product_id, "description": "", "category": None, **price}
        for version, price in PRICES.items()
    }


@pytest.mark.integration
def test_pages_are_followed_by_id_or_by_link(client, stocked):
    """v3's link is relative to the page, wherever a router put that."""
    ids = [stocked() for _ in range(3)]
    pages = {
        version: client.get(f"/api/{version}/products?limit=2").json for version in ("v1", "v2")
    }
    seen, path = [], "/api/v3/products?limit=2"
    while path:
        page = client.get(path).json
        seen += [item["id"] for item in page["items"]]
        path = page["next"] and urljoin(path, page["next"])

    assert seen == ids
    assert [page["next_after"] for page in pages.values()] == [ids[1]] * 2
    assert [page["items"][0].keys() & {"price", "price_cents"} for page in pages.values()] == [
        {"price"},
        {"price_cents"},
    ]


@pytest.mark.integration
@pytest.mark.parametrize(
    ("version", "price", "field"),
    [
        ("v1", {"price": "4.505"}, "price"),
        ("v1", {"price_cents": 450}, "price"),
        ("v2", {"price": "4.50"}, "price_cents"),
        ("v2", {"price_cents": 4.5}, "price_cents"),
        ("v3", {"price_cents": -1}, "price_cents"),
    ],
)
def test_a_refusal_names_the_price_that_the_version_has(client, version, price, field):
    """Whoever calls v1 has never heard of cents."""
    answer = client.post(f"/api/{version}/inventory", json={**NEW, **price})

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.integration
@pytest.mark.parametrize("version", PRICES)
def test_a_whole_number_may_be_written_with_a_point(client, version):
    """To JSON it is the same number."""
    body = {**NEW, **PRICES[version], "stock": 10.0}
    added = client.post(f"/api/{version}/inventory", json=body)

    assert (added.status_code, added.json["stock"]) == (201, 10)


# What differs from one dialect of patterns to the next, or ends a text, and what is plain.
CHARACTERS = " a\n\0\x1c\x7f\x85\xa0\u3000\ufeff\u200bé"
TEXTS = [
    *("".join(some) for length in range(5) for some in product(CHARACTERS, repeat=length)),
    *(f"{before}{'x' * length}{after}"
      for length in (199, 200, 201, 1999, 2000, 2001)
      for before, after in product(("", " ", "\n \u3000"), repeat=2)),
]  # fmt: skip


@pytest.mark.parametrize("kind", [shapes.Name, shapes.Description])
def test_the_documented_pattern_of_a_text_lets_through_what_the_service_does(kind):
    """By its own regular expression, since white space around does not count."""
    assert len(TEXTS) > 20_000
    assert differing(kind, TEXTS) == []


@pytest.mark.integration
def test_a_nul_in_a_description_is_refused(client):
    """PostgreSQL's text has none: it would be a fault of ours."""
    answer = client.post(
        "/api/v1/inventory", json={**NEW, "price": "4.50", "description": "tea\0bag"}
    )

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == ["description"]


@pytest.mark.integration
def test_only_the_deprecated_version_says_that_it_is(client):
    """With its dates, and where to go."""
    old, new = (client.get(f"/api/{version}/products").headers for version in ("v1", "v2"))

    assert (old["Deprecation"], old["Sunset"]) == ("@1796083200", "Fri, 01 Dec 2028 00:00:00 GMT")
    assert VERSIONS[0].dates().items() <= dict(old).items()
    assert {"Deprecation", "Sunset", "Link"}.isdisjoint(new.keys())


@given(st.decimals(min_value=0, max_value=Decimal("9999999999.99"), places=2))
def test_every_price_of_v1_is_taken_by_the_newest_and_read_back_as_it_was(price):
    """To the cent, up to the highest that the table holds."""
    sent = v2.NewProduct(**NEW, price=price).model_dump(exclude_unset=True)
    newest = shapes.NewProduct.model_validate(v2.in_cents(sent))

    assert v2.in_decimals({"price_cents": newest.price_cents}) == {"price": f"{price:.2f}"}


@given(st.integers(1, 2**63 - 1), st.integers(1, 100))
def test_a_link_holds_the_id_that_v2_answers(after, limit):
    """Whatever else is in it."""
    page = {"items": [], "next": v3.next_link(after, shapes.PageQuery(limit=limit))}

    assert v3.with_an_id(page) == {"items": [], "next_after": after}


@pytest.mark.parametrize(
    ("step", "body"),
    [
        (v2.in_cents, {**NEW, "price": Decimal("4.50")}),
        (v2.in_decimals, {**NEW, "price_cents": 450}),
        (v3.with_an_id, {"items": [], "next": v3.next_link(20, shapes.PageQuery())}),
    ],
)
def test_a_step_costs_microseconds(step, body):
    """Ten by its target, five times that on a machine that does other things beside. A page has a step a product."""
    rounds = repeat(lambda: step(body), number=1000, repeat=50)

    assert min(rounds) / 1000 < 5 * 10e-6
