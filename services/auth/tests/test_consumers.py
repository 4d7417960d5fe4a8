"""What the services that verify tokens expect of auth, asked of the real app on real PostgreSQL."""

from __future__ import annotations

from pathlib import Path

import jwt
import pytest
from contract.changes import Changed, changes
from contract.provider import Provider, contracts, expected
from contract.releases import released

from auth import keys, services

pytestmark = pytest.mark.contract

CONTRACTS = contracts("auth")
BREAKING, HARMLESS = changes(Path(__file__).parent / "changes.toml")


@pytest.fixture
def auth(database, clock, client, register, log_in):
    """Auth with what a consumer may be given, and the tokens that a login and a service's secret are answered with."""
    customers, secrets = [], []

    def read(token):
        claims = jwt.decode(token, options={"verify_signature": False})
        return {"header": jwt.get_unverified_header(token), "claims": claims}

    def said():
        return read(log_in(customers[-1])["access_token"])

    def said_to_a_service():
        asked = {"service": "order", "secret": secrets[-1]}
        return read(client.post("/api/v1/service-tokens", json=asked).json["access_token"])

    states = {
        "a key that signs": lambda: keys.signing_key(database, now=clock()),
        "a customer": lambda: customers.append(register()),
        "a service": lambda: secrets.append(services.admit(database, "order")),
    }
    messages = {
        "an access token of a customer": said,
        "a token of a service": said_to_a_service,
    }
    return Provider("auth", states, messages)


@pytest.mark.parametrize("contract", CONTRACTS, ids=lambda path: path.stem)
def test_auth_does_what_a_consumer_expects(app, auth, contract):
    """Every interaction of a contract, in the state that it is given."""
    assert expected(contract)
    assert auth.broken(app, contract) == {}


def test_auth_does_what_the_consumers_that_are_live_expect(app, auth, tmp_path):
    """As their newest releases said it, whatever the tree says now; and what the tree says, after that."""
    assert auth.broken(app, *released("auth", tmp_path), *CONTRACTS) == {}


@pytest.mark.parametrize("change", BREAKING, ids=str)
def test_a_change_that_breaks_a_consumer_is_found(app, auth, change, tmp_path, cheap_passwords):
    """By the expectation that it breaks."""
    changed = Changed(app, change)
    found = changed.speaking(auth).broken(
        changed, *change.narrow(CONTRACTS, tmp_path, provider="auth")
    )

    assert change.breaks in found


@pytest.mark.parametrize("change", HARMLESS, ids=str)
def test_a_change_that_breaks_no_consumer_passes(app, auth, change, cheap_passwords):
    """A contract holds up nothing that its consumer does not need."""
    changed = Changed(app, change)

    assert changed.speaking(auth).broken(changed, *CONTRACTS) == {}
    assert changed.is_shown()
