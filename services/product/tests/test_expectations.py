"""What product expects of auth, where it lets in only who has a service's token.

`pytest services/product/tests/test_expectations.py --write-contracts` writes the contract anew.
"""

from __future__ import annotations

import json
import threading
from contextlib import contextmanager
from functools import partial
from uuid import uuid4

import jwt
import pytest
from contract.consumer import contract, play, receive
from contract.tokens import Signer, closed_verifiers, keys, service_token
from werkzeug.serving import make_server
from werkzeug.wrappers import Response

pytestmark = pytest.mark.contract

OF_AUTH = (keys, service_token)
# Of a type that product does not know: it is let in, and nothing follows.
EVENT = {"type": "Heard", "version": 1, "key": "a", "at": "2026-12-01T00:00:00Z", "data": {}}


@pytest.fixture
def knock(database, migrated_url, instance, monkeypatch):
    """A service tells an event with a token; the router is at a URL."""
    monkeypatch.setenv("PRODUCT_SERVICE_TOKENS", "required")

    @contextmanager
    def at(url):
        with closed_verifiers():
            client = instance(migrated_url, url).test_client()
            yield partial(tell, client)

    def tell(client, token):
        headers = {"Authorization": f"Bearer {token}"}
        event = {**EVENT, "id": str(uuid4())}
        return client.post("/api/v1/events", json=event, headers=headers).status_code

    return at


@pytest.fixture
def published():
    """A key that signs, and a URL where it is published."""
    signer = Signer()
    jwk = {"kid": signer.kid, "kty": "OKP", "crv": "Ed25519", "x": signer.public}

    def app(environ, start_response):
        return Response(json.dumps({"keys": [jwk]}), content_type="application/json")(
            environ, start_response
        )

    server = make_server("127.0.0.1", 0, app)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield signer, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_product_verifies_tokens_by_the_keys_that_auth_publishes(knock):
    """They are asked for where auth has them, and make a token good."""
    order = Signer(audience="services", subject="service:order")
    play("product", "auth", partial(keys, signer=order), knock)


def test_product_lets_in_who_has_a_service_token_of_auths(knock, published):
    """What is expected of a token is enough."""
    signer, url = published

    def take(token):
        header = {**token["header"], "kid": signer.kid}
        with knock(url) as tell:
            return tell(jwt.encode(token["claims"], signer.private_key, headers=header))

    receive("product", "auth", service_token, take)


def test_the_contract_with_auth_is_what_product_expects(write_contracts):
    """What is checked in is what auth is held against."""
    kept, made = contract("product", "auth", OF_AUTH, write=write_contracts)

    assert kept == made
