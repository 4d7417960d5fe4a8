"""What the routes refuse, and how."""

import pytest

pytestmark = pytest.mark.integration

PROFILE = "/api/v1/profile"


@pytest.mark.parametrize(
    "name",
    [
        "",
        "   ",
        "x" * 101,
        "ü" * 101,
        "a\0b",
        "two\nlines",
        "tab\there",
        "bell\a",
        None,
        7,
        ["Ada"],
        {"first": "Ada"},
    ],
)
def test_a_name_out_of_bounds_is_refused(client, ada, name):
    """422 naming the field, and there is still no profile."""
    answer = client.put(PROFILE, headers=ada, json={"name": name})

    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"
    assert [error["field"] for error in answer.json["errors"]] == ["name"]
    assert client.get(PROFILE, headers=ada).status_code == 404


@pytest.mark.parametrize(
    "name",
    ["A", "x" * 100, "ü" * 100, "Ada Lovelace", "李小龍", "O'Neil; DROP TABLE profiles", "👩‍🔬"],
)
def test_a_name_within_bounds_is_kept_as_it_is(client, ada, name):
    """100 characters of any script, quotes included."""
    written = client.put(PROFILE, headers=ada, json={"name": name})

    assert written.status_code == 200
    assert client.get(PROFILE, headers=ada).json["name"] == name


def test_spaces_around_a_name_are_taken_off(client, ada):
    """They are typing, not part of the name."""
    assert client.put(PROFILE, headers=ada, json={"name": "  Ada "}).json["name"] == "Ada"


def test_a_field_that_is_not_known_is_ignored(client, ada):
    """A newer caller may meet an older slot in the middle of a rollout."""
    answer = client.put(PROFILE, headers=ada, json={"name": "Ada", "pronouns": "she"})

    assert answer.status_code == 200
    assert "pronouns" not in answer.json


@pytest.mark.parametrize(
    ("data", "content_type", "status"),
    [
        (b"name=Ada", "application/x-www-form-urlencoded", 415),
        (b"{", "application/json", 400),
        (b'{"name": "\\ud800"}', "application/json", 400),
        (b"[]", "application/json", 422),
        (b"{}", "application/json", 422),
    ],
)
def test_a_body_that_is_no_profile_is_refused(client, ada, data, content_type, status):
    """As a problem of the caller's, also when its text is half of a surrogate pair."""
    answer = client.put(PROFILE, headers=ada, data=data, content_type=content_type)

    assert answer.status_code == status
    assert answer.mimetype == "application/problem+json"
