"""Reading the catalogue."""

import pytest

pytestmark = pytest.mark.integration


def pages(client, limit):
    """Follow next_after to the end, and return the ids of each page."""
    found, after = [], 0
    while after is not None:
        page = client.get(f"/api/v1/products?limit={limit}&after={after}").json
        found.append([item["id"] for item in page["items"]])
        after = page["next_after"]
    return found


def test_a_product_shows_these_fields(client, stocked):
    """The price is a string with two decimals: no float between shop and customer."""
    product_id = stocked(sku="tea-1", name="Green tea", price="12.5", stock=7)

    answer = client.get(f"/api/v1/products/{product_id}")

    assert answer.status_code == 200
    assert answer.json == {
        "id": product_id,
        "sku": "tea-1",
        "name": "Green tea",
        "price": "12.50",
        "stock": 7,
        "description": "",
        "category": None,
    }


@pytest.mark.parametrize("product_id", [0, 4711, 2**63 - 1, 2**63, 10**30])
def test_a_product_that_there_is_not_is_missing(client, stocked, product_id):
    """However high the number: no id is an error of the database's."""
    stocked()

    answer = client.get(f"/api/v1/products/{product_id}")

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "product_missing"
    assert answer.json["product_id"] == product_id


def test_an_empty_catalogue_is_an_empty_page(client):
    """No products is no error."""
    answer = client.get("/api/v1/products")

    assert answer.status_code == 200
    assert answer.json == {"items": [], "next_after": None}


def test_the_list_shows_products_as_reading_one_does(client, stocked):
    """One form for a product, everywhere."""
    product_id = stocked()

    listed = client.get("/api/v1/products").json["items"]

    assert listed == [client.get(f"/api/v1/products/{product_id}").json]


@pytest.mark.parametrize(
    ("limit", "sizes"), [(1, [1] * 6), (2, [2] * 3), (4, [4, 2]), (6, [6]), (100, [6])]
)
def test_following_the_pages_shows_every_product_once(client, stocked, limit, sizes):
    """In the order of ids, and the last page says that it is the last."""
    ids = [stocked() for _ in range(6)]

    found = pages(client, limit)

    assert [len(page) for page in found] == sizes
    assert [product_id for page in found for product_id in page] == ids


def test_the_catalogue_of_a_category_has_its_products_alone(client, stocked):
    """Page by page as the whole; one that nothing is in is empty."""
    ids = [stocked(category=category) for category in ("tea", "cups", "tea", None, "tea")]
    first = client.get("/api/v1/products?category=tea&limit=2").json
    rest = client.get(f"/api/v1/products?category=tea&after={first['next_after']}").json
    none = client.get("/api/v1/products?category=coffee").json

    assert [item["id"] for item in first["items"]] == [ids[0], ids[2]]
    assert [item["id"] for item in rest["items"]] == [ids[4]]
    assert rest["next_after"] is None
    assert none == {"items": [], "next_after": None}


def test_a_page_holds_twenty_unless_told_otherwise(client, stocked):
    """The default limit."""
    ids = [stocked() for _ in range(21)]

    page = client.get("/api/v1/products").json

    assert [item["id"] for item in page["items"]] == ids[:20]
    assert page["next_after"] == ids[19]


def test_paging_is_not_disturbed_by_products_that_are_added(client, stocked):
    """A page begins after an id, not after a count."""
    ids = [stocked() for _ in range(3)]
    after = client.get("/api/v1/products?limit=2").json["next_after"]
    ids.append(stocked())

    rest = client.get(f"/api/v1/products?after={after}").json["items"]

    assert [item["id"] for item in rest] == ids[2:]


def test_after_the_last_product_there_is_nothing(client, stocked):
    """An empty page ends the paging."""
    product_id = stocked()

    page = client.get(f"/api/v1/products?after={product_id}").json

    assert page == {"items": [], "next_after": None}


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=101", "limit"),
        ("limit=-1", "limit"),
        ("limit=many", "limit"),
        ("limit=", "limit"),
        ("after=-1", "after"),
        ("after=x", "after"),
        ("category=", "category"),
        ("category=Green tea", "category"),
        (f"after={2**63}", "after"),
    ],
)
def test_a_query_out_of_bounds_is_refused(client, query, field):
    """422, naming the parameter at fault."""
    answer = client.get(f"/api/v1/products?{query}")

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_a_parameter_that_is_not_known_is_ignored(client, stocked):
    """A newer caller may meet an older slot in the middle of a rollout."""
    stocked()

    assert len(client.get("/api/v1/products?colour=blue").json["items"]) == 1
