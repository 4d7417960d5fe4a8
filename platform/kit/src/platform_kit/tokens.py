"""Verify access tokens by the keys that auth publishes (JWKS), without asking auth for each request.

A key that was fetched verifies for as long as the instance lives, whatever becomes of auth. One thread at a time asks for
keys. Some others wait for it, never all, and only while auth answered the last time; else they have their 503 at once.
"""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING, Any

from flask import request

from platform_kit import deadline
from platform_kit.bulkhead import Bulkhead, share_of_threads
from platform_kit.clients import HttpClient
from platform_kit.errors import ServiceUnreachable
from platform_kit.liveness import Clock
from platform_kit.logs import logger
from platform_kit.problems import Problem

if TYPE_CHECKING:
    from jwt import PyJWK

    from platform_kit.dependency import Dependency

ALGORITHMS = ["EdDSA", "ES256"]
FETCH_TIMEOUT_SECONDS = 2.0
# An unknown key id may be a new key or a forgery: forgeries must not become a load on auth.
REFETCH_SECONDS = 10.0
# While auth is away, one request in this time tries again and the others fail at once.
RETRY_SECONDS = 1.0
# How long those beyond the threads that may wait for keys are patient. A fetch takes some milliseconds, and unlike a
# dependency's calls it comes again every ten seconds where auth is slow and somebody forges tokens.
PATIENCE_SECONDS = 0.1
# Two machines' clocks differ: a token just made must not come from the future.
LEEWAY_SECONDS = 5.0

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
        self._auth = HttpClient("auth", jwks_url, timeout_seconds=FETCH_TIMEOUT_SECONDS)
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = Bulkhead(share_of_threads(), long_seconds=PATIENCE_SECONDS)
        self._keys: dict[str, PyJWK] = {}
        self._tried_at: float | None = None
        self._has_failed = False

    @property
    def dependency(self) -> Dependency:
        """Auth, as `/metrics` shows it."""
        return self._auth.dependency

    def subject(self) -> str:
        """Return the subject of the current request's Bearer token; raise a 401 or 503 `Problem`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("token_missing", "Send an access token: Authorization: Bearer <token>.")
        return str(self.claims(token.strip())["sub"])

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
        is_known = self._refresh(kid)
        if kid in self._keys:
            return self._keys[kid]
        if is_known:
            raise _refused("token_invalid", "The access token is signed by an unknown key.")
        raise Problem(
            503,
            "auth_unavailable",
            "The keys that verify access tokens cannot be fetched now.",
            headers={"Retry-After": "1"},
        )

    def _refresh(self, kid: str) -> bool:
        """Fetch the keys if it is time; say whether what is known now is auth's word."""
        entered = self._waiting.enter()
        if entered is None:
            return False
        is_known = False
        try:
            self._fetch_once(kid)
            is_known = bool(self._keys) and not self._has_failed
        finally:
            self._waiting.leave(entered, answered=is_known)
        return is_known

    def _fetch_once(self, kid: str) -> None:
        patience = 0 if self._has_failed else deadline.remaining_seconds(FETCH_TIMEOUT_SECONDS)
        if not self._lock.acquire(timeout=max(0, patience)):
            return
        try:
            if kid not in self._keys and self._is_time():
                self._fetch()
        finally:
            self._lock.release()

    def _is_time(self) -> bool:
        wait = REFETCH_SECONDS if self._keys and not self._has_failed else RETRY_SECONDS
        return self._tried_at is None or self._clock() - self._tried_at >= wait

    def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            answer = self._auth.request("GET", headers={"Accept": "application/json"})
            self._keys = _published_keys(answer.status_code, answer.content)
        except (ServiceUnreachable, ValueError) as error:
            self._has_failed = True
            log.warning("keys_not_fetched", cause=str(error))
        else:
            self._has_failed = False


def _published_keys(status: int, body: bytes) -> dict[str, PyJWK]:
    from jwt import PyJWKSet  # noqa: PLC0415 - see above
    from jwt.exceptions import PyJWTError  # noqa: PLC0415

    if status != 200:
        raise ValueError(f"the answer is a {status}")
    try:
        keys = PyJWKSet.from_dict(json.loads(body)).keys
    except (PyJWTError, AttributeError, TypeError) as error:
        raise ValueError(f"no usable keys: {error}") from error
    return {str(key.key_id): key for key in keys}


def _refused(code: str, detail: str) -> Problem:
    challenge = "Bearer" if code == "token_missing" else 'Bearer error="invalid_token"'
    return Problem(401, code, detail, headers={"WWW-Authenticate": challenge})
