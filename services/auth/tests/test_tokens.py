"""Logging in, and what the token then proves."""

import base64
import json
from datetime import UTC, datetime
from uuid import uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from auth import tokens
from auth.accounts import Account, AccountId, Role
from auth.sessions import Granted, SessionId
from auth.signing import SigningKey


def log_in(client, customer):
    return client.post(
        "/api/v1/tokens", json={"email": customer.email, "password": customer.password}
    )


def verified(client, token):
    """The claims of a token, verified as another service would: by what /jwks publishes."""
    keys = jwt.PyJWKSet.from_dict(client.get("/api/v1/jwks").json)
    key = keys[jwt.get_unverified_header(token)["kid"]]
    return jwt.decode(token, key, algorithms=["EdDSA"], issuer="auth", audience="platform")


def test_a_token_lasts_a_quarter_of_an_hour_from_now():
    """The claims are exactly what verifiers look at."""
    key = SigningKey("k", Ed25519PrivateKey.generate())
    account = Account(AccountId(uuid4()), "ada@example.test", Role.ADMIN)
    now = datetime.now(UTC).replace(microsecond=0)
    granted = Granted(account, SessionId(uuid4()), "secret", now)

    token = tokens.issue(key, granted, lifetime=tokens.LIFETIME, now=now)

    claims = jwt.decode(
        token, key.private_key.public_key(), algorithms=["EdDSA"], audience="platform"
    )
    assert claims == {
        "sub": str(account.id),
        "roles": ["admin"],
        "sid": str(granted.session_id),
        "iss": "auth",
        "aud": "platform",
        "iat": int(now.timestamp()),
        "exp": int(now.timestamp()) + 900,
    }


@pytest.mark.integration
def test_logging_in_answers_a_bearer_token_that_no_cache_may_keep(client, customer):
    """The shape of the answer is RFC 6749's."""
    answer = log_in(client, customer)

    assert answer.status_code == 200
    assert set(answer.json) == {
        "access_token",
        "token_type",
        "expires_in",
        "refresh_token",
        "refresh_expires_in",
    }
    assert answer.json["token_type"] == "Bearer"
    assert answer.json["expires_in"] == 900
    assert answer.json["refresh_expires_in"] == 14 * 24 * 3600
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.integration
def test_the_published_keys_verify_a_token_of_the_customer(client, customer, clock):
    """The subject is the account's id, the life starts now."""
    claims = verified(client, log_in(client, customer).json["access_token"])

    assert claims["sub"] == customer.id
    assert claims["roles"] == ["customer"]
    assert claims["iat"] == int(clock().timestamp())
    assert claims["exp"] - claims["iat"] == 900


@pytest.mark.integration
def test_the_published_keys_refuse_a_token_that_was_changed(client, customer):
    """The negative control of the test before: another subject breaks the signature."""
    token = log_in(client, customer).json["access_token"]
    header, payload, signature = token.split(".")
    claims = json.loads(base64.urlsafe_b64decode(payload + "=="))
    changed = json.dumps({**claims, "sub": str(uuid4())}).encode()
    payload = base64.urlsafe_b64encode(changed).decode().rstrip("=")

    with pytest.raises(jwt.InvalidSignatureError):
        verified(client, f"{header}.{payload}.{signature}")


@pytest.mark.integration
def test_a_token_of_one_instance_is_verified_by_the_keys_of_another(
    client, customer, instance, migrated_url
):
    """Slots and instances share the database, and so the keys."""
    token = log_in(client, customer).json["access_token"]
    other = instance(migrated_url).test_client()

    assert verified(other, token)["sub"] == customer.id


@pytest.mark.integration
@pytest.mark.parametrize("wrong", ["email", "password", "short password", "empty password"])
def test_wrong_credentials_are_refused_without_telling_which(client, customer, wrong):
    """Every kind of wrong gets the same answer, but for the request id."""
    body = {"email": customer.email, "password": customer.password}
    body |= {
        "email": {"email": "nobody@example.test"},
        "password": {"password": customer.password + "x"},
        "short password": {"password": "x"},
        "empty password": {"password": ""},
    }[wrong]

    answer = client.post("/api/v1/tokens", json=body)

    assert answer.status_code == 401
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json["code"] == "credentials_wrong"
    assert answer.json["detail"] == "No account has this email address and password."


@pytest.mark.integration
def test_a_password_counts_with_its_case_and_spaces(client, customer):
    """Only addresses are normalised."""
    for password in (customer.password.swapcase(), f" {customer.password}"):
        answer = client.post("/api/v1/tokens", json={"email": customer.email, "password": password})

        assert answer.status_code == 401
