"""The documents and the service say the same: each version, called as its document allows and as it does not.

schemathesis makes the calls and has every one of its checks on, with real PostgreSQL behind the app.
"""

from __future__ import annotations

import pytest
import schemathesis
from contract import documents
from contract.documents import as_in_life

pytestmark = pytest.mark.contract

OPERATIONS = 2


stage = documents.Stage()


def described(version):
    return documents.described("user", version, stage, among=OPERATIONS)


@pytest.fixture(autouse=True)
def staged(preview, app, client, ada):
    """The app on stage, with the preview, and a profile to be read."""
    client.put("/api/v1/profile", headers=ada, json={"name": "Ada Lovelace"})
    stage.app = app


v1, v2, v3 = described("v1"), described("v2"), described("v3")


@as_in_life
@v1.parametrize()
def test_v1_is_as_its_document_says(case, ada):
    """Deprecated, and kept to the letter."""
    case.call_and_validate(headers=ada)


@as_in_life
@v2.parametrize()
def test_v2_is_as_its_document_says(case, ada):
    """The current one."""
    case.call_and_validate(headers=ada)


@as_in_life
@v3.parametrize()
def test_v3_is_as_its_document_says(case, ada):
    """A preview may change, but its document changes with it."""
    case.call_and_validate(headers=ada)


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_what_the_document_does_not_say_is_found(app, ada, version):
    """The negative control: a document that does not know the answer that is given."""
    schema = described(version)
    del schema.raw_schema["paths"]["/profile"]["get"]["responses"]["200"]

    with pytest.raises(schemathesis.core.failures.FailureGroup):
        schema["/profile"]["GET"].Case().call_and_validate(headers=ada)


@pytest.mark.parametrize("schema", [v1, v2, v3])
def test_a_document_is_one(schema):
    """By the schema of OpenAPI 3.1."""
    schema.validate()
