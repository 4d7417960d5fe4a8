"""Access tokens: what a customer shows to the other services, which verify it by `GET /jwks`."""

from datetime import datetime, timedelta

import jwt

from auth.accounts import AccountId
from auth.keys import ALGORITHM, SigningKey

ISSUER = "auth"
AUDIENCE = "platform"

# Nothing revokes a token: a quarter of an hour bounds how long a stolen one is worth anything.
LIFETIME = timedelta(seconds=900)


def issue(key: SigningKey, account_id: AccountId, *, now: datetime) -> str:
    """Return a signed token for the account, valid from now for `LIFETIME`."""
    claims = {
        "sub": str(account_id),
        "iss": ISSUER,
        "aud": AUDIENCE,
        "iat": now,
        "exp": now + LIFETIME,
    }
    return jwt.encode(claims, key.private_key, algorithm=ALGORITHM, headers={"kid": key.kid})
