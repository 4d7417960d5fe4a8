"""What every service that verifies tokens expects of auth: the keys that it publishes, and what a token says.

The kit's verifier is what asks and reads, so this is the same for all of them; each tests it by its own app.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from jwt.algorithms import OKPAlgorithm
from pact import Pact, match

from platform_kit.clients import HttpClient

JSON = "application/json"
# RFC 8037's example. A test has a key of its own, made when it runs; what is kept has this one.
NOBODYS = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"
NEVER = 4_102_444_800  # the year 2100: the example of a time when a token ends

Knock = Callable[[str], int]


@contextmanager
def closed_verifiers() -> Iterator[None]:
    """Close at the end what verifiers have opened: an instance keeps its connections for life."""
    opened: list[HttpClient] = []

    class Opened(HttpClient):
        def __init__(self, dependency: str, base_url: str, *, timeout_seconds: float) -> None:
            super().__init__(dependency, base_url, timeout_seconds=timeout_seconds)
            opened.append(self)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("platform_kit.tokens.HttpClient", Opened)
        yield
    for client in opened:
        client.close()


class Signer:
    """Signs as auth does, by a key of the moment; for customers, or for a service."""

    def __init__(self, *, audience: str = "platform", subject: str | None = None) -> None:
        self._claims = {"aud": audience, "sub": subject or secrets.token_hex(4)}
        self.kid = secrets.token_hex(4)
        self.private_key = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """The public half, as a JSON Web Key has it."""
        return str(OKPAlgorithm.to_jwk(self.private_key.public_key(), as_dict=True)["x"])

    def token(self) -> str:
        """Return a token as auth makes it."""
        end = int(time.time()) + 900
        claims = {**self._claims, "iss": "auth", "exp": end}
        return jwt.encode(claims, self.private_key, "EdDSA", headers={"kid": self.kid})


def keys(pact: Pact, signer: Signer | None = None) -> Generator[None, Knock, None]:
    """A key at least that can be used; others beside it are left out by who cannot use them."""
    kid, public = (signer.kid, signer.public) if signer else ("an-id", NOBODYS)
    key = {
        "kid": match.str(kid),
        "kty": match.regex("OKP", regex="^(OKP|EC)$"),
        "crv": match.regex("Ed25519", regex="^(Ed25519|P-256)$"),
        "x": match.regex(public, regex="^[A-Za-z0-9_-]{43}$"),
    }
    asked = pact.upon_receiving("the keys that verify tokens").given("a key that signs")
    asked.with_request("GET", "/auth/api/v1/jwks").will_respond_with(200)
    asked.with_body({"keys": match.array_containing([key])}, JSON)
    knock = yield

    assert signer is not None
    assert knock(signer.token()) == 200


def access_token(pact: Pact) -> Generator[None, int, None]:
    """What a service reads of a customer's token. It comes by way of the customer: a message."""
    header = {"alg": match.regex("EdDSA", regex="^(EdDSA|ES256)$"), "kid": match.str("an-id")}
    claims: dict[str, Any] = {
        "iss": "auth",
        "aud": "platform",
        "sub": match.str("an-id"),
        "exp": match.int(NEVER),
    }
    said = pact.upon_receiving("an access token of a customer", "Async").given("a customer")
    said.with_body({"header": header, "claims": claims}, JSON)
    status = yield

    assert status == 200


def service_token(pact: Pact) -> Generator[None, int, None]:
    """What a service reads of another one's token. It comes by way of that one: a message."""
    header = {"alg": match.regex("EdDSA", regex="^(EdDSA|ES256)$"), "kid": match.str("an-id")}
    claims: dict[str, Any] = {
        "iss": "auth",
        "aud": "services",
        "sub": "service:order",
        "exp": match.int(NEVER),
    }
    said = pact.upon_receiving("a token of a service", "Async").given("a service")
    said.with_body({"header": header, "claims": claims}, JSON)
    status = yield

    assert status == 200
