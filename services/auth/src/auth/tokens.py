"""Access tokens: what a customer or a service shows to the other services, which verify it by `GET /jwks`."""

from collections.abc import Mapping
from datetime import datetime, timedelta

import jwt

from auth.sessions import Granted
from auth.signing import ALGORITHM, SigningKey

ISSUER = "auth"
AUDIENCE = "platform"
# Another audience: a route for customers takes no service's token, and the other way round.
SERVICES = "services"

# Nothing revokes a token: a quarter of an hour bounds how long a stolen one is worth anything.
LIFETIME = timedelta(seconds=900)


def issue(key: SigningKey, granted: Granted, *, now: datetime) -> str:
    """Return a signed token for who has logged in, valid from now for `LIFETIME`.

    `roles` is RFC 9068's claim (2.2.3.1), `sid` OpenID Connect's.
    """
    claims = {
        "sub": str(granted.account.id),
        "aud": AUDIENCE,
        "roles": [granted.account.role.value],
        "sid": str(granted.session_id),
    }
    return _signed(key, claims, now=now)


def issue_to_service(key: SigningKey, service: str, *, now: datetime) -> str:
    """Return a signed token by which a service says to another one who it is."""
    return _signed(key, {"sub": f"service:{service}", "aud": SERVICES}, now=now)


def _signed(key: SigningKey, claims: Mapping[str, object], *, now: datetime) -> str:
    times = {"iss": ISSUER, "iat": now, "exp": now + LIFETIME}
    return jwt.encode(
        {**claims, **times}, key.private_key, algorithm=ALGORITHM, headers={"kid": key.kid}
    )
