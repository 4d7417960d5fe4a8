"""The documents and the service say the same: each version, called as its document allows and as it does not.

schemathesis makes the calls, with real PostgreSQL behind the app and a stand-in for product.
"""

from __future__ import annotations

import re
from uuid import UUID

import pytest
import schemathesis
from contract import documents
from contract.documents import as_in_life

pytestmark = pytest.mark.contract

OPERATIONS = 5
# Two that ask more of a document than JSON Schema can say: that each product is named once, under which keys there are
# orders already, what a cursor is, and what a query's text is as a number.
BEYOND_A_SCHEMA = ("positive_data_acceptance", "negative_data_rejection")
AN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


stage = documents.Stage()


def described(version):
    checks = {name: {"enabled": False} for name in BEYOND_A_SCHEMA}
    return documents.described("order", version, stage, among=OPERATIONS, checks=checks)


@pytest.fixture(autouse=True)
def staged(preview, app, ada, shop):
    """The app on stage, with the preview, and orders of ada's: a page of one has a next one."""
    for _ in range(3):
        shop.add(stock=10**9)
    orders = [ada.place({1: 2, 2: 1}).json["id"] for _ in range(3)]
    ada.cancel(orders[1])
    stage.app, stage.order_id = app, orders[0]


@pytest.fixture
def call(router):
    """Make a case's call with ada's token and check the answer. Of the orders that it names every other one is there."""
    headers = {"Authorization": f"Bearer {router.token('ada')}"}

    def make(case):
        named = str(case.path_parameters.get("order_id", ""))
        if AN_ID.fullmatch(named) and UUID(named).int % 2:
            case.path_parameters["order_id"] = stage.order_id
        case.call_and_validate(headers=headers)

    return make


v1, v2, v3 = described("v1"), described("v2"), described("v3")


@as_in_life
@v1.parametrize()
def test_v1_is_as_its_document_says(case, call):
    """Deprecated, and kept to the letter."""
    call(case)


@as_in_life
@v2.parametrize()
def test_v2_is_as_its_document_says(case, call):
    """The current one."""
    call(case)


@as_in_life
@v3.parametrize()
def test_v3_is_as_its_document_says(case, call):
    """A preview may change, but its document changes with it."""
    call(case)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_what_the_document_does_not_say_is_found(call, version):
    """The negative control: a document that does not know the answer that is given."""
    schema = described(version)
    del schema.raw_schema["paths"]["/orders"]["get"]["responses"]["200"]

    with pytest.raises(schemathesis.core.failures.FailureGroup):
        call(schema["/orders"]["GET"].Case())


@pytest.mark.parametrize("schema", [v1, v2, v3])
def test_a_document_is_one(schema):
    """By the schema of OpenAPI 3.1."""
    schema.validate()
