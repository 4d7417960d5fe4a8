"""Who is let in: the bearer of a token that auth signed, for this platform, not long ago."""

import base64
import hashlib
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

pytestmark = pytest.mark.integration

PROFILE = "/api/v1/profile"


def bearer(token):
    return {"Authorization": f"Bearer {token}"}


def encoded(value):
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def with_another_subject(issuer):
    """Bob's token, its subject exchanged, its signature kept."""
    header, _, signature = issuer.token("bob").split(".")
    return f"{header}.{encoded(issuer.claims('ada'))}.{signature}"


def by_another_key(issuer):
    """Signed with a key that only claims to be auth's."""
    stranger = Ed25519PrivateKey.generate()
    return jwt.encode(issuer.claims("ada"), stranger, "EdDSA", headers={"kid": issuer.kid})


def without_signature(issuer):
    """The algorithm "none", which some libraries once took."""
    header = {"alg": "none", "typ": "JWT", "kid": issuer.kid}
    return f"{encoded(header)}.{encoded(issuer.claims('ada'))}."


def by_the_public_key_as_a_secret(issuer):
    """HS256 with what everybody can read in /jwks."""
    public = issuer.private_key.public_key().public_bytes(
        Encoding.PEM, PublicFormat.SubjectPublicKeyInfo
    )
    header = {"alg": "HS256", "typ": "JWT", "kid": issuer.kid}
    signed = f"{encoded(header)}.{encoded(issuer.claims('ada'))}"
    digest = hmac.new(public, signed.encode(), hashlib.sha256).digest()
    return f"{signed}.{encoded(digest)}"


@pytest.mark.parametrize(
    "forge",
    [
        with_another_subject,
        by_another_key,
        without_signature,
        by_the_public_key_as_a_secret,
        lambda issuer: issuer.token("ada")[:-8],
        lambda issuer: issuer.token("ada", aud="elsewhere"),
        lambda issuer: issuer.token("ada", aud=None),
        lambda issuer: issuer.token("ada", iss="mallory"),
        lambda issuer: issuer.token("ada", iss=None),
        lambda issuer: issuer.token("ada", exp=None),
        lambda issuer: issuer.token("ada", sub=None),
        lambda _: "not.a.token",
        lambda _: "x",
    ],
)
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_a_token_that_auth_did_not_sign_for_this_platform_is_refused(
    client, ada, issuer, forge, method
):
    """401 with a stable code, on reading and on writing, and the profile stays as it is."""
    client.put(PROFILE, headers=ada, json={"name": "Ada"})

    answer = client.open(
        PROFILE, method=method, headers=bearer(forge(issuer)), json={"name": "Mallory"}
    )

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json["code"] == "token_invalid"
    assert client.get(PROFILE, headers=ada).json["name"] == "Ada"


def test_an_expired_token_is_refused_with_a_code_of_its_own(client, issuer):
    """So that a client knows that logging in again helps."""
    an_hour_ago = int(time.time()) - 3600
    token = issuer.token("ada", iat=an_hour_ago - 900, exp=an_hour_ago)

    answer = client.get(PROFILE, headers=bearer(token))

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json["code"] == "token_expired"


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Basic YWRhOmFkYQ=="}])
@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_without_a_token_nobody_is_let_in(client, headers, method):
    """401, whatever the body says."""
    answer = client.open(PROFILE, method=method, headers=headers, json={"name": "Ada"})

    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    assert answer.json["code"] == "token_missing"


def test_a_token_is_looked_at_before_the_body(client):
    """A stranger does not learn what a body must look like."""
    assert client.put(PROFILE, json={"name": 7}).status_code == 401


def test_the_keys_are_fetched_once_through_the_router(client, ada, bob, issuer):
    """Not at the start, and not for every request."""
    assert issuer.fetched == []

    for headers in (ada, bob, ada):
        client.get(PROFILE, headers=headers)

    assert issuer.fetched == ["/auth/api/v1/jwks"]


def test_tokens_are_verified_while_auth_is_away(client, ada, bob, issuer):
    """Once the keys are known, a stopped auth stops nobody who has a token."""
    client.put(PROFILE, headers=ada, json={"name": "Ada"})
    issuer.stop()

    assert client.get(PROFILE, headers=ada).json["name"] == "Ada"
    assert client.put(PROFILE, headers=bob, json={"name": "Bob"}).status_code == 200
    forged = client.get(PROFILE, headers=bearer(with_another_subject(issuer)))
    assert forged.json["code"] == "token_invalid"


def test_an_instance_that_never_saw_the_keys_says_that_it_cannot_know(client, ada, issuer):
    """The negative control of the test before: 503, for it is not the token's fault."""
    issuer.stop()

    answer = client.get(PROFILE, headers=ada)

    assert answer.status_code == 503
    assert answer.mimetype == "application/problem+json"


def test_a_slash_after_the_routers_address_does_no_harm(instance, migrated_url, issuer, ada):
    """An environment may write the address either way."""
    client = instance(migrated_url, issuer.router_url + "/").test_client()

    client.get(PROFILE, headers=ada)

    assert issuer.fetched == ["/auth/api/v1/jwks"]


def test_no_token_is_in_the_logs(monkeypatch, capfd, instance, database, migrated_url, issuer):
    """Neither a good one nor a forged one, at the most talkative level."""
    monkeypatch.setenv("PLATFORM_LOG_LEVEL", "debug")
    client = instance(migrated_url, issuer.router_url).test_client()
    tokens = [issuer.token("ada"), by_another_key(issuer), issuer.token("ada", exp=1)]
    for token in tokens:
        client.put(PROFILE, headers=bearer(token), json={"name": "Ada"})

    logged = "".join(capfd.readouterr())
    assert logged.count("request_finished") == 3  # the control: this is where the logs are
    for token in tokens:
        assert token not in logged
        assert token.split(".")[2] not in logged
