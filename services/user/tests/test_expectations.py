"""What user expects of auth.

`pytest services/user/tests/test_expectations.py --write-contracts` writes the contract anew.
"""

from __future__ import annotations

from contextlib import contextmanager
from functools import partial

import jwt
import pytest
from contract.consumer import contract, play, receive
from contract.tokens import Signer, access_token, closed_verifiers, keys

pytestmark = pytest.mark.contract

OF_AUTH = (keys, access_token)


@pytest.fixture
def knock(database, migrated_url, instance):
    """Somebody writes a profile with a token; the router is at a URL."""

    @contextmanager
    def at(url):
        with closed_verifiers():
            client = instance(migrated_url, url).test_client()
            yield partial(write, client)

    def write(client, token):
        headers = {"Authorization": f"Bearer {token}"}
        body = {"name": "Ada"}
        return client.put("/api/v1/profile", json=body, headers=headers).status_code

    return at


def test_user_verifies_tokens_by_the_keys_that_auth_publishes(knock):
    """They are asked for where auth has them, and make a token good."""
    play("user", "auth", partial(keys, signer=Signer()), knock)


def test_user_lets_in_who_has_a_token_of_auths(knock, issuer):
    """What is expected of a token is enough."""

    def take(token):
        header = {**token["header"], "kid": issuer.kid}
        with knock(issuer.router_url) as write:
            return write(jwt.encode(token["claims"], issuer.private_key, headers=header))

    receive("user", "auth", access_token, take)


def test_the_contract_with_auth_is_what_user_expects(write_contracts):
    """What is checked in is what auth is held against."""
    kept, made = contract("user", "auth", OF_AUTH, write=write_contracts)

    assert kept == made
