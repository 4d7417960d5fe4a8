"""The documents and the service say the same: each version, called as its document allows and as it does not.

schemathesis makes the calls, with real PostgreSQL behind the app, and has every one of its checks on, but for the four
operations named below.
"""

from __future__ import annotations

import pytest
import schemathesis
from contract import documents
from contract.documents import as_in_life

pytestmark = pytest.mark.contract

OPERATIONS = 9
# What JSON Schema cannot say: that each product is named once, what a cursor is, and of v1's prices how many decimals a
# number has.
BEYOND_A_SCHEMA = [
    {
        "include-operation-id": operation,
        "checks": {"positive_data_acceptance": {"enabled": False}},
    }
    for operation in ("reserve", "list_prices")
]
DECIMALS = [
    {
        "include-operation-id": operation,
        "checks": {
            "positive_data_acceptance": {"enabled": False},
            "negative_data_rejection": {"enabled": False},
        },
    }
    for operation in ("add_product", "set_price")
]


stage = documents.Stage()


def described(version):
    beyond = [*BEYOND_A_SCHEMA, *(DECIMALS if version == "v1" else [])]
    return documents.described("product", version, stage, among=OPERATIONS, operations=beyond)


@pytest.fixture(autouse=True)
def staged(preview, app, client, stocked):
    """The app on stage, with the preview, and some products: a page of one has a next one, of prices too."""
    ids = [stocked() for _ in range(3)]
    for product_id in ids:
        client.put(f"/api/v2/inventory/{product_id}/price", json={"price_cents": 500})
    stage.app, stage.product_id = app, ids[0]


def call(case):
    """Make a case's call and check the answer. Of the products that it names every other one is there."""
    named = str(case.path_parameters.get("product_id", ""))
    if named.isdecimal() and int(named) % 2:
        case.path_parameters["product_id"] = stage.product_id
    case.call_and_validate()


v1, v2, v3 = described("v1"), described("v2"), described("v3")


@as_in_life
@v1.parametrize()
def test_v1_is_as_its_document_says(case):
    """Deprecated, and kept to the letter."""
    call(case)


@as_in_life
@v2.parametrize()
def test_v2_is_as_its_document_says(case):
    """The current one."""
    call(case)


@as_in_life
@v3.parametrize()
def test_v3_is_as_its_document_says(case):
    """A preview may change, but its document changes with it."""
    call(case)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_what_the_document_does_not_say_is_found(version):
    """The negative control: a document that does not know the answer that is given."""
    schema = described(version)
    del schema.raw_schema["paths"]["/products"]["get"]["responses"]["200"]

    with pytest.raises(schemathesis.core.failures.FailureGroup):
        schema["/products"]["GET"].Case().call_and_validate()


@pytest.mark.parametrize("schema", [v1, v2, v3])
def test_a_document_is_one(schema):
    """By the schema of OpenAPI 3.1."""
    schema.validate()
