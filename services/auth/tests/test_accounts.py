"""Registering."""

from uuid import UUID

import pytest
from sqlalchemy import select

from auth.tables import accounts

pytestmark = pytest.mark.integration

BODY = {"email": "ada@example.test", "password": "correct horse battery"}


def test_registering_answers_the_account_without_its_password(client):
    """The answer has the id, the address and the role, and nothing else."""
    answer = client.post("/api/v1/accounts", json=BODY)

    assert answer.status_code == 201
    assert set(answer.json) == {"id", "email", "role"}
    assert answer.json["role"] == "customer"
    assert answer.json["email"] == "ada@example.test"
    assert str(UUID(answer.json["id"])) == answer.json["id"]


def test_an_account_keeps_an_argon2id_hash_and_no_password(client, database):
    """The database holds the encoded hash with the parameters that the service promises."""
    client.post("/api/v1/accounts", json=BODY)

    with database.connect() as connection:
        row = connection.execute(select(accounts)).one()
    assert row.password_hash.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert BODY["password"] not in repr(row)


def test_a_second_account_for_one_address_is_refused(client):
    """409 with a stable code, and the first account goes on working."""
    client.post("/api/v1/accounts", json=BODY)
    answer = client.post("/api/v1/accounts", json={**BODY, "password": "another password"})

    assert answer.status_code == 409
    assert answer.mimetype == "application/problem+json"
    assert answer.json["code"] == "email_taken"
    assert client.post("/api/v1/tokens", json=BODY).status_code == 200


@pytest.mark.parametrize(
    "spelling", ["ADA@Example.TEST", "  ada@example.test ", "Ada@example.test"]
)
def test_an_address_is_one_account_however_it_is_spelled(client, spelling):
    """Case and surrounding spaces do not make another customer."""
    client.post("/api/v1/accounts", json=BODY)

    assert client.post("/api/v1/accounts", json={**BODY, "email": spelling}).status_code == 409
    assert client.post("/api/v1/tokens", json={**BODY, "email": spelling}).status_code == 200


def test_two_customers_get_different_ids(client):
    """An id names one account."""
    first = client.post("/api/v1/accounts", json=BODY)
    second = client.post("/api/v1/accounts", json={**BODY, "email": "bob@example.test"})

    assert first.json["id"] != second.json["id"]


def test_of_many_that_register_one_address_at_once_one_succeeds(app, database, together):
    """The database decides, not a look before the write."""
    answers = together(8, lambda: app.test_client().post("/api/v1/accounts", json=BODY).status_code)

    assert sorted(answers) == [201] + [409] * 7
    with database.connect() as connection:
        assert len(connection.execute(select(accounts.c.id)).all()) == 1
