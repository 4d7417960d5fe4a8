"""Access tokens: what a customer or a service shows to the other services, which verify it by `GET /jwks`."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import jwt

from auth.accounts import AccountId
from auth.flags import SHORT_TOKENS
from auth.sessions import Granted
from auth.signing import ALGORITHM, SigningKey

ISSUER = "auth"
AUDIENCE = "platform"
# Another audience: a route for customers takes no service's token, and the other way round.
SERVICES = "services"

# Nothing revokes a token: a quarter of an hour bounds how long a stolen one is worth anything. None lasts longer:
# `rotation.py` keeps keys by it.
LIFETIME = timedelta(seconds=900)
# What an attack by a stolen token is left with, at three times as many refreshes.
SHORT = timedelta(seconds=300)


def lifetime(account_id: AccountId) -> timedelta:
    """Return for how long an access token of this account's is good, if it is made now."""
    return SHORT if SHORT_TOKENS.on(str(account_id)) else LIFETIME


def issue(key: SigningKey, granted: Granted, *, lifetime: timedelta, now: datetime) -> str:
    """Return a signed token for who has logged in, valid from now for `lifetime`.

    `roles` is RFC 9068's claim (2.2.3.1), `sid` OpenID Connect's.
    """
    claims = {
        "sub": str(granted.account.id),
        "aud": AUDIENCE,
        "roles": [granted.account.role.value],
        "sid": str(granted.session_id),
    }
    return _signed(key, claims, lifetime=lifetime, now=now)


def issue_to_service(key: SigningKey, service: str, *, now: datetime) -> str:
    """Return a signed token by which a service says to another one who it is, valid from now for `LIFETIME`."""
    claims = {"sub": f"service:{service}", "aud": SERVICES}
    return _signed(key, claims, lifetime=LIFETIME, now=now)


def _signed(
    key: SigningKey, claims: Mapping[str, object], *, lifetime: timedelta, now: datetime
) -> str:
    times = {"iss": ISSUER, "iat": now, "exp": now + lifetime}
    return jwt.encode(
        {**claims, **times}, key.private_key, algorithm=ALGORITHM, headers={"kid": key.kid}
    )
