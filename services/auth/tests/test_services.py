"""Tokens by which services say to each other who they are."""

import jwt
import pytest
from sqlalchemy import select

from auth import services
from auth.tables import service_credentials
from platform_kit import Problem, TokenVerifier

pytestmark = [pytest.mark.integration, pytest.mark.usefixtures("cheap_passwords")]


@pytest.fixture
def ask(client):
    """Ask for a service's token, and return the answer."""

    def ask(service, secret):
        return client.post("/api/v1/service-tokens", json={"service": service, "secret": secret})

    return ask


def test_a_service_gets_a_token_that_says_who_it_is(client, database, ask):
    """Verified as its callee does it: by the published keys, for the audience of services."""
    answer = ask("order", services.admit(database, "order"))
    verifier = TokenVerifier(lambda: client.get("/api/v1/jwks").json, audience="services")

    assert answer.status_code == 200
    assert set(answer.json) == {"access_token", "token_type", "expires_in"}
    assert answer.headers["Cache-Control"] == "no-store"
    assert verifier.claims(answer.json["access_token"])["sub"] == "service:order"


def test_a_services_token_is_none_of_a_customers(client, database, ask, customer, log_in):
    """Nor the other way round: each is refused where the other is wanted."""
    fetch = lambda: client.get("/api/v1/jwks").json  # noqa: E731
    of_service = ask("order", services.admit(database, "order")).json["access_token"]
    of_customer = log_in(customer)["access_token"]

    for audience, token in (("platform", of_service), ("services", of_customer)):
        with pytest.raises(Problem) as refused:
            TokenVerifier(fetch, audience=audience).claims(token)
        assert refused.value.code == "token_invalid"


@pytest.mark.parametrize(
    ("service", "secret"), [("order", "A" * 43), ("nobody", "A" * 43), ("user", None)]
)
def test_a_wrong_secret_or_service_is_refused(database, ask, service, secret):
    """Alike; also another service's secret."""
    mine = services.admit(database, "order")
    services.admit(database, "user")
    answer = ask(service, secret or mine)

    assert (answer.status_code, answer.json["code"]) == (401, "service_refused")
    assert answer.json["detail"] == "No service has this name and secret."


def test_a_new_secret_ends_the_one_before(database, ask):
    """So one that leaked is worth nothing."""
    old, new = services.admit(database, "order"), services.admit(database, "order")

    assert [ask("order", each).status_code for each in (old, new)] == [401, 200]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("service", ""),
        ("service", "Order"),
        ("service", "x" * 64),
        ("service", "a b"),
        ("service", None),
        ("secret", "short"),
        ("secret", "A" * 44),
        ("secret", None),
    ],
)
def test_what_cannot_be_right_is_not_looked_up(client, field, value):
    """422, naming the field."""
    body = {"service": "order", "secret": "A" * 43, field: value}
    answer = client.post("/api/v1/service-tokens", json=body)

    assert answer.status_code == 422
    assert [error["field"] for error in answer.json["errors"]] == [field]


def test_the_database_has_no_secret(database):
    """A copy of the table admits nobody."""
    secret = services.admit(database, "order")
    with database.connect() as connection:
        (row,) = connection.execute(select(service_credentials)).all()

    assert secret not in repr(row)
    assert len(row.secret_hash) == 32


def test_a_services_token_has_no_role_and_no_session(database, ask):
    """It opens what names the service, and nothing else."""
    token = ask("order", services.admit(database, "order")).json["access_token"]
    claims = jwt.decode(token, options={"verify_signature": False})

    assert set(claims) == {"sub", "iss", "aud", "iat", "exp"}
