"""Verify access tokens by the keys that auth publishes (JWKS), without asking auth for each request."""

from __future__ import annotations

import json
import threading
import time
import urllib.request
from typing import TYPE_CHECKING, Any, cast

from flask import request

from platform_kit.api.consumer import remember_claims
from platform_kit.liveness import Clock
from platform_kit.logs import logger
from platform_kit.problems import Problem
from platform_kit.requests import current_request_id

if TYPE_CHECKING:
    from jwt import PyJWK

ALGORITHMS = ["EdDSA", "ES256"]
FETCH_TIMEOUT_SECONDS = 2.0
# An unknown key id may be a new key or a forgery: forgeries must not become a load on auth.
REFETCH_SECONDS = 10.0
# While auth is away, one request in this time tries again and the others fail at once.
RETRY_SECONDS = 1.0
# Two machines' clocks differ: a token just made must not come from the future.
LEEWAY_SECONDS = 5.0

# auth is reached by the router on this side of every proxy.
_direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))

log = logger(__name__)


class TokenVerifier:
    """Knows auth's public keys: fetched when first needed, kept, fetched again for an unknown one."""

    def __init__(
        self,
        jwks_url: str,
        *,
        issuer: str = "auth",
        audience: str = "platform",
        clock: Clock = time.monotonic,
    ) -> None:
        self._url = jwks_url
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: dict[str, PyJWK] = {}
        self._tried_at: float | None = None

    def subject(self) -> str:
        """Return the subject of the current request's Bearer token; raise a 401 or 503 `Problem`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("token_missing", "Send an access token: Authorization: Bearer <token>.")
        claims = self.claims(token.strip())
        remember_claims(claims)
        return str(claims["sub"])

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a valid token; raise a 401 or 503 `Problem`."""
        import jwt  # noqa: PLC0415 - 8 MB that a service which verifies nothing need not carry

        try:
            return jwt.decode(
                token,
                self._key(str(jwt.get_unverified_header(token).get("kid", ""))),
                algorithms=ALGORITHMS,
                issuer=self._issuer,
                audience=self._audience,
                options={"require": ["exp", "sub", "iss", "aud"]},
                leeway=LEEWAY_SECONDS,
            )
        except jwt.ExpiredSignatureError as error:
            raise _refused("token_expired", "The access token has expired.") from error
        except jwt.InvalidTokenError as error:
            raise _refused("token_invalid", "The access token is not valid.") from error

    def _key(self, kid: str) -> PyJWK:
        key = self._keys.get(kid)
        if key is not None:
            return key
        with self._lock:
            if kid not in self._keys:
                self._fetch()
            if not self._keys:
                raise Problem(
                    503,
                    "auth_unavailable",
                    "The keys that verify access tokens cannot be fetched now.",
                    headers={"Retry-After": "1"},
                )
            if kid not in self._keys:
                raise _refused("token_invalid", "The access token is signed by an unknown key.")
            return self._keys[kid]

    def _fetch(self) -> None:
        wait = REFETCH_SECONDS if self._keys else RETRY_SECONDS
        now = self._clock()
        if self._tried_at is not None and now - self._tried_at < wait:
            return
        self._tried_at = now
        try:
            self._keys = _published_keys(self._url)
        except (OSError, ValueError) as error:
            log.warning("keys_not_fetched", url=self._url, cause=str(error))


def _published_keys(url: str) -> dict[str, PyJWK]:
    from jwt import PyJWKSet  # noqa: PLC0415 - see above
    from jwt.exceptions import PyJWTError  # noqa: PLC0415

    headers = {"X-Request-Id": current_request_id() or "", "Accept": "application/json"}
    asked = urllib.request.Request(url, headers=headers)  # noqa: S310 - the platform's own URL
    with _direct.open(asked, timeout=FETCH_TIMEOUT_SECONDS) as answer:
        published = cast("dict[str, Any]", json.load(answer))
    try:
        keys = PyJWKSet.from_dict(published).keys
    except (PyJWTError, AttributeError) as error:
        raise ValueError(f"no usable keys: {error}") from error
    return {str(key.key_id): key for key in keys}


def _refused(code: str, detail: str) -> Problem:
    challenge = "Bearer" if code == "token_missing" else 'Bearer error="invalid_token"'
    return Problem(401, code, detail, headers={"WWW-Authenticate": challenge})
