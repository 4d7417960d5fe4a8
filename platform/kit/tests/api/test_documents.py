"""The OpenAPI document of a version, and the page that shows it."""

import json
import re
import sys
from urllib.parse import urljoin

import pytest
from jsonschema import Draft202012Validator

from platform_kit.api import Api, Version
from platform_kit.api.__main__ import main
from platform_kit.api.page import type_of


@pytest.fixture
def documents(client):
    return {name: client.get(f"/api/{name}/openapi.json").json for name in ("v1", "v2", "v3")}


def test_the_document_is_openapi_of_the_version(documents):
    """3.1, for its own path, wherever a router put that."""
    for name, document in documents.items():
        assert document["openapi"] == "3.1.0"
        assert document["info"]["version"] == name
        served_at = f"https://shop.test/user/api/{name}/openapi.json"
        (server,) = document["servers"]
        assert urljoin(served_at, server["url"]) == f"https://shop.test/user/api/{name}"


def test_each_version_has_its_own_shapes(documents):
    """Those of the other versions are not in it."""
    shapes = {name: set(document["components"]["schemas"]) for name, document in documents.items()}

    assert {"OneSize", "OneSizeChange"} <= shapes["v1"]
    assert "ThingChange" not in shapes["v1"]
    assert {"Thing", "ThingChange"} <= shapes["v2"]
    assert "OneSize" not in shapes["v2"]


def test_every_schema_is_one(documents):
    """By JSON Schema 2020-12, which is OpenAPI 3.1's."""
    for document in documents.values():
        for schema in document["components"]["schemas"].values():
            Draft202012Validator.check_schema(schema)


def test_every_refusal_is_in_it_with_its_codes(documents):
    """The handler's, and those that follow from what the operation takes."""
    responses = documents["v1"]["paths"]["/things/{thing_id}"]["put"]["responses"]
    codes = {
        int(status): response["content"]["application/problem+json"]["schema"]["allOf"][1][
            "properties"
        ]["code"]["enum"]
        for status, response in responses.items()
        if int(status) >= 400
    }

    assert codes == {
        400: ["json_malformed", "timeout_invalid"],
        401: ["token_expired", "token_invalid", "token_missing"],
        404: ["not_found"],
        409: ["thing_taken"],
        410: ["version_gone"],
        413: ["request_entity_too_large"],
        415: ["json_expected"],
        422: ["invalid_request"],
        500: ["internal_error"],
        503: ["auth_unavailable", "database_unavailable", "deadline_passed"],
    }
    assert {"200", "201"} <= set(responses)


def test_what_does_not_apply_is_not_in_it(documents):
    """No body, no token, no sunset: no refusal of them."""
    responses = documents["v2"]["paths"]["/things"]["get"]["responses"]

    assert set(responses) == {"200", "400", "422", "500", "503"}
    assert set(documents["v2"]["paths"]["/things/{thing_id}"]["delete"]["responses"]) == {
        "204", "400", "404", "500", "503"
    }  # fmt: skip


def test_parameters_are_in_it(documents):
    """Of the path and of the query."""
    paths = documents["v2"]["paths"]

    assert paths["/things/{thing_id}"]["put"]["parameters"] == [
        {"name": "thing_id", "in": "path", "required": True,
         "schema": {"type": "integer", "minimum": 0}}
    ]  # fmt: skip
    assert paths["/things"]["get"]["parameters"] == [
        {"name": "limit", "in": "query", "required": False, "description": "how many at most",
         "schema": {"title": "Limit", "type": "integer", "default": 20}},
        {"name": "size", "in": "query", "required": False,
         "schema": {"title": "Size", "type": "integer", "minimum": 1}},
    ]  # fmt: skip


def test_a_version_has_the_parameters_that_it_knows(documents):
    """v1 could not be searched."""
    parameters = documents["v1"]["paths"]["/things"]["get"]["parameters"]

    assert [each["name"] for each in parameters] == ["limit"]


def test_a_version_has_its_own_query_and_the_headers_that_are_read(documents):
    """Each where it is sent."""
    found = {
        name: [
            (each["name"], each["in"], each["required"])
            for each in document["paths"]["/found"]["get"]["parameters"]
        ]
        for name, document in documents.items()
    }

    assert found == {
        "v1": [("count", "query", False), ("X-Within", "header", True)],
        "v2": [("limit", "query", False), ("size", "query", False), ("X-Within", "header", True)],
        "v3": [("limit", "query", False), ("size", "query", False), ("X-Within", "header", True)],
    }


def test_a_status_of_two_shapes_says_which_code_has_which(documents):
    """A refusal of the handler's own names no fields."""
    response = documents["v2"]["paths"]["/found"]["get"]["responses"]["422"]
    schemas = response["content"]["application/problem+json"]["schema"]["anyOf"]
    told = {
        each["allOf"][0]["$ref"].rpartition("/")[2]: each["allOf"][1]["properties"]["code"]["enum"]
        for each in schemas
    }

    assert told == {"InvalidRequest": ["invalid_request"], "Refusal": ["too_hurried"]}


def test_a_deprecated_operation_is_marked_with_its_end_and_its_headers(documents):
    """x-sunset is where oasdiff looks."""
    old, new = (documents[name]["paths"]["/things"]["get"] for name in ("v1", "v2"))

    assert (old["deprecated"], old["x-sunset"]) == (True, "2024-06-30")
    assert set(old["responses"]["200"]["headers"]) == {"Deprecation", "Sunset", "Link"}
    assert not {"deprecated", "x-sunset"} & set(new)
    assert "headers" not in new["responses"]["200"]


def test_the_headers_of_an_answer_are_in_it(documents):
    """Beside the dates, and of what succeeds only."""
    responses = documents["v1"]["paths"]["/things/{thing_id}"]["put"]["responses"]
    always = {"required": True, "schema": {"type": "string", "const": "no-store"}}

    assert [responses[status]["headers"].get("Cache-Control") for status in ("200", "201")] == [
        always, always
    ]  # fmt: skip
    assert set(responses["200"]["headers"]) == {"Cache-Control", "Deprecation", "Sunset", "Link"}
    assert "Cache-Control" not in responses["409"]["headers"]


def test_only_secured_operations_want_a_token(documents):
    """By the scheme that the document has."""
    paths = documents["v2"]["paths"]

    assert paths["/things/{thing_id}"]["put"]["security"] == [{"bearer": []}]
    assert "security" not in paths["/things"]["get"]
    assert documents["v2"]["components"]["securitySchemes"]["bearer"]["scheme"] == "bearer"


def test_a_version_says_what_changed_up_to_it(documents):
    """In the document, for the page and for whoever reads."""
    changes = {name: document["info"]["x-changes"] for name, document in documents.items()}

    assert [len(each) for each in changes.values()] == [0, 1, 2]
    assert changes["v2"] == [{"version": "v2", "says": "Write sizes, a list, instead of size."}]


@pytest.mark.parametrize("version", ["v1", "v2", "v3"])
def test_the_page_shows_everything_and_asks_nobody(client, version):
    """No script, no address of anything elsewhere, and a policy that would forbid both."""
    answer = client.get(f"/api/{version}/docs")

    assert answer.mimetype == "text/html"
    assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
    assert not re.search(r"https?://|<script|src=|url\(|@import", answer.text)
    words = ("PUT", f"/api/{version}/things/{{thing_id}}", "thing_taken", 'id="changes"', "limit")
    words += ("X-Within", '<a href="#InvalidRequest">', 'or <a href="#Refusal">')
    assert [word for word in words if word not in answer.text] == []


def test_the_page_escapes_what_a_document_says(make_app):
    """A description is text, whoever wrote it."""
    api = Api([Version("v1")])

    @api.operation("GET /things", statuses=(204,))
    def odd():
        """<img src=x>"""

    assert "<img" not in make_app(api=api).test_client().get("/api/v1/docs").text


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({"$ref": "#/components/schemas/Thing"}, "Thing"),
        ({"type": "string", "maxLength": 3}, "string, at most 3 characters"),
        (
            {"anyOf": [{"type": "integer", "minimum": 1}, {"type": "null"}]},
            "integer, from 1 or null",
        ),
        ({"type": "array", "items": {"type": "string"}}, "list of string"),
        ({"type": "string", "format": "uuid"}, "uuid"),
        ({"type": "string", "description": "a word", "pattern": "^a$"}, "string, a word"),
        ({}, "anything"),
    ],
)
def test_a_schema_is_told_in_a_few_words(schema, expected):
    """For the page."""
    assert type_of(schema) == expected


def test_the_documents_of_a_service_are_written_by_one_command(tmp_path, monkeypatch):
    """A file a version, readable and the same each time."""
    (tmp_path / "toys").mkdir()
    (tmp_path / "toys" / "__init__.py").touch()
    (tmp_path / "toys" / "app.py").write_text(
        "from platform_kit import create_app\n"
        "from platform_kit.api import Api, Version\n"
        "def create():\n"
        "    return create_app('toys', api=Api([Version('v1')]))\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    main(["toys"])
    written = tmp_path / "services" / "toys" / "openapi"
    sys.modules.pop("toys.app")

    assert [path.name for path in written.iterdir()] == ["v1.json"]
    assert json.loads((written / "v1.json").read_text())["info"]["title"] == "toys"
