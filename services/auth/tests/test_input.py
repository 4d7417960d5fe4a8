"""What the routes refuse, and how."""

import pytest

pytestmark = pytest.mark.integration

PASSWORD = "correct horse battery"
EMAIL = "ada@example.test"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", ""),
        ("email", "ada"),
        ("email", "@example.test"),
        ("email", "ada@"),
        ("email", "a@b@c"),
        ("email", "ada lovelace@example.test"),
        ("email", "ada@example.test\0"),
        ("email", "a" * 242 + "@example.test"),
        ("email", None),
        ("email", 7),
        ("email", ["ada@example.test"]),
        ("password", ""),
        ("password", "x" * 11),
        ("password", "x" * 129),
        ("password", None),
        ("password", 123456789012),
    ],
)
def test_registering_refuses_input_out_of_bounds(client, field, value):
    """422, naming the field at fault and no other."""
    body = {"email": EMAIL, "password": PASSWORD, field: value}

    answer = client.post("/api/v1/accounts", json=body)

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("length", [12, 128])
def test_registering_takes_passwords_up_to_the_bounds(client, length):
    """The shortest and the longest allowed password both log in."""
    body = {"email": EMAIL, "password": "ü" * length}

    assert client.post("/api/v1/accounts", json=body).status_code == 201
    assert client.post("/api/v1/tokens", json=body).status_code == 200


def test_registering_takes_the_longest_address(client):
    """254 characters, which is all that mail servers carry."""
    body = {"email": "a" * 241 + "@example.test", "password": PASSWORD}

    assert client.post("/api/v1/accounts", json=body).status_code == 201


@pytest.mark.parametrize(
    ("field", "value"),
    [("email", "ada"), ("email", None), ("password", "x" * 129)],
)
def test_logging_in_refuses_input_out_of_bounds(client, field, value):
    """Nothing oversized gets as far as the hash."""
    answer = client.post(
        "/api/v1/tokens", json={"email": EMAIL, "password": PASSWORD, field: value}
    )

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


@pytest.mark.parametrize("route", ["/api/v1/accounts", "/api/v1/tokens"])
def test_a_body_that_lacks_everything_names_both_fields(client, route):
    """All faults are told at once."""
    answer = client.post(route, json={})

    assert answer.status_code == 422
    assert {error["field"] for error in answer.json["errors"]} == {"email", "password"}


@pytest.mark.parametrize("route", ["/api/v1/accounts", "/api/v1/tokens"])
@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"email=ada", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (
            b'{"email": "ada@example.test", "password": "\\ud800\\ud800\\ud800"}',
            "application/json",
            400,
        ),
        (b"[]", "application/json", 422),
    ],
)
def test_a_body_that_is_no_json_object_is_refused(client, route, data, content_type, status):
    """As a problem of the caller's, also when its text is half of a surrogate pair."""
    answer = client.post(route, data=data, content_type=content_type)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"


def test_a_field_that_is_not_known_is_ignored(client):
    """A newer caller may meet an older slot in the middle of a rollout."""
    body = {"email": EMAIL, "password": PASSWORD, "locale": "en"}

    answer = client.post("/api/v1/accounts", json=body)

    assert answer.status_code == 201
    assert "locale" not in answer.json


def test_an_sql_fragment_is_only_text(client, customer):
    """Values are bound, never spliced."""
    body = {"email": "x'--@example.test", "password": "' OR '1'='1 -- "}

    assert client.post("/api/v1/tokens", json=body).status_code == 401
    assert client.post("/api/v1/accounts", json=body).status_code == 201
