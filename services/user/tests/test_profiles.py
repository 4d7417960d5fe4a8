"""A customer's own profile, and nobody else's."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import select

from user.flags import SINGLE_SPACES
from user.tables import profiles

pytestmark = pytest.mark.integration

PROFILE = "/api/v1/profile"


def put(client, headers, name):
    return client.put(PROFILE, headers=headers, json={"name": name})


def test_there_is_no_profile_until_one_is_written(client, ada):
    """A stable code tells this 404 from that of a wrong path."""
    answer = client.get(PROFILE, headers=ada)

    assert answer.status_code == 404
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "profile_missing"


def test_writing_answers_what_reading_will(client, ada):
    """The first write makes the profile, with 200 like every later one."""
    written = put(client, ada, "Ada Lovelace")
    read = client.get(PROFILE, headers=ada)

    assert written.status_code == read.status_code == 200
    assert written.json == read.json
    assert set(read.json) == {"id", "name", "given_name", "family_name", "language", "updated_at"}
    assert (read.json["id"], read.json["name"]) == ("ada", "Ada Lovelace")


@pytest.mark.parametrize(
    ("name", "given", "family"),
    [
        ("Ada", "Ada", ""),
        ("Ada Lovelace", "Ada", "Lovelace"),
        ("Augusta Ada King", "Augusta", "Ada King"),
        ("Ada  King", "Ada", " King"),
    ],
)
def test_a_name_is_kept_in_two_parts_and_answered_as_it_was(client, ada, name, given, family):
    """The first space divides it; nothing that was written is lost."""
    with SINGLE_SPACES.override(False):
        written = put(client, ada, name).json

    assert (written["name"], written["given_name"], written["family_name"]) == (name, given, family)


def test_a_language_stays_when_it_is_not_said_again(client, ada):
    """Callers of before do not know of it, and must not take it away."""
    before = put(client, ada, "Ada").json["language"]
    body = {"name": "Ada", "language": "pt-BR"}
    said = client.put(PROFILE, headers=ada, json=body).json["language"]
    after = put(client, ada, "Ada Lovelace").json["language"]

    assert (before, said, after) == (None, "pt-BR", "pt-BR")


@pytest.mark.parametrize("language", ["", "english", "EN", "pt_BR", 7])
def test_a_language_is_a_plain_tag(client, ada, language):
    """Whatever else is refused, and nothing is written."""
    refused = client.put(PROFILE, headers=ada, json={"name": "Ada", "language": language})

    assert refused.status_code == 422
    assert client.get(PROFILE, headers=ada).status_code == 404


def test_updated_at_is_the_time_of_the_write_with_its_zone(client, ada):
    """ISO 8601, so that a client in another zone reads the same moment."""
    before = datetime.now(UTC) - timedelta(seconds=1)
    updated_at = datetime.fromisoformat(put(client, ada, "Ada").json["updated_at"])

    assert updated_at.utcoffset() is not None
    assert before <= updated_at <= datetime.now(UTC) + timedelta(seconds=1)


def test_writing_again_replaces_the_name_and_moves_the_time(client, ada, database):
    """There is one profile a customer, however often it is written."""
    first = put(client, ada, "Ada Byron").json
    second = put(client, ada, "Ada Lovelace").json

    assert second["name"] == "Ada Lovelace"
    assert second["updated_at"] > first["updated_at"]
    with database.connect() as connection:
        assert len(connection.execute(select(profiles)).all()) == 1


def test_reading_does_not_move_the_time(client, ada):
    """Only a write does."""
    written = put(client, ada, "Ada").json

    assert client.get(PROFILE, headers=ada).json == client.get(PROFILE, headers=ada).json == written


def test_a_profile_outlives_the_instance(client, ada, instance, migrated_url, issuer):
    """Another instance or slot answers the same."""
    written = put(client, ada, "Ada").json
    other = instance(migrated_url, issuer.router_url).test_client()

    assert other.get(PROFILE, headers=ada).json == written


def test_each_customer_has_a_profile_of_their_own(client, ada, bob):
    """Writing one leaves the other as it was."""
    put(client, ada, "Ada")
    put(client, bob, "Bob")

    assert client.get(PROFILE, headers=ada).json["name"] == "Ada"
    assert client.get(PROFILE, headers=bob).json["name"] == "Bob"


@pytest.mark.parametrize(
    "path", [f"{PROFILE}/ada", f"{PROFILE}s/ada", f"{PROFILE}?id=ada", f"{PROFILE}?subject=ada"]
)
def test_the_profile_of_another_cannot_be_read(client, ada, bob, path):
    """No path and no parameter leads to it: only the token says whose profile it is."""
    put(client, ada, "Ada")

    answer = client.get(path, headers=bob)

    assert answer.status_code == 404
    assert "Ada" not in answer.text


def test_the_profile_of_another_cannot_be_written(client, ada, bob):
    """An id in the body changes nothing: it is the token's subject that is written."""
    put(client, ada, "Ada")

    answer = client.put(f"{PROFILE}?id=ada", headers=bob, json={"id": "ada", "name": "Mallory"})

    assert answer.json["id"] == "bob"
    assert client.get(PROFILE, headers=ada).json["name"] == "Ada"


def test_of_many_first_writes_at_once_each_succeeds_and_one_profile_is_left(
    app, ada, database, together
):
    """The last one wins; none is refused because another was quicker."""
    answers = together(8, lambda number: put(app.test_client(), ada, f"Ada {number}"))

    assert [answer.status_code for answer in answers] == [200] * 8
    with database.connect() as connection:
        (row,) = connection.execute(select(profiles)).all()
    assert row.given_name == "Ada"
    assert row.family_name in {f"{number}" for number in range(8)}
