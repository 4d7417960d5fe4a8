"""Verify access tokens by the keys that auth publishes (JWKS), without asking auth for each request.

The keys are kept for five minutes, then fetched again beside the requests that they serve. A key that is not known is
looked for at once, but not more than once in ten seconds. So a new key that is published for longer than five minutes
before it signs is known everywhere before its first token, and one that auth takes back is soon trusted nowhere.

While auth is away what is known goes on being trusted: a stopped auth stops nobody. One thread at a time asks for keys. Some
others wait for it, never all, and only while auth answered the last time; else they have their 503 at once.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, cast

from flask import request

from platform_kit import deadline
from platform_kit.api.consumer import remember_claims
from platform_kit.bulkhead import Bulkhead, share_of_threads
from platform_kit.clients import HttpClient
from platform_kit.errors import ServiceUnreachable
from platform_kit.liveness import Clock
from platform_kit.logs import logger
from platform_kit.problems import Problem
from platform_kit.trail import audit

if TYPE_CHECKING:
    from jwt import PyJWK

    from platform_kit.dependency import Dependency

ALGORITHMS = ["EdDSA", "ES256"]
FETCH_TIMEOUT_SECONDS = 2.0
# An unknown key id may be a new key or a forgery: forgeries must not become a load on auth.
REFETCH_SECONDS = 10.0
# How long a key that auth took back is still trusted. auth publishes a new one for longer than that before it signs.
KEYS_MAX_AGE_SECONDS = 300.0
# While auth is away, one request in this time tries again and the others fail at once.
RETRY_SECONDS = 1.0
# How long those beyond the threads that may wait for keys are patient. A fetch takes some milliseconds, and unlike a
# dependency's calls it comes again every ten seconds where auth is slow and somebody forges tokens.
PATIENCE_SECONDS = 0.1
# Two machines' clocks differ: a token just made must not come from the future.
LEEWAY_SECONDS = 5.0

log = logger(__name__)


JwkSet = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Whom a token is about. A token of before there were roles has none, and no session."""

    subject: str
    roles: frozenset[str] = frozenset()
    session: str | None = None

    def must_be(self, role: str) -> None:
        """Raise a 403 `Problem` for a caller without the role, and have it in the audit trail."""
        if role not in self.roles:
            audit("access_refused", subject=self.subject, outcome="refused", reason="role_missing")
            raise Problem(403, "role_missing", f"This needs the role {role}.")


class TokenVerifier:
    """Knows auth's public keys: fetched when first needed, kept, fetched again when old or for an unknown one."""

    def __init__(
        self,
        jwks: str | Callable[[], JwkSet],
        *,
        issuer: str = "auth",
        audience: str = "platform",
        clock: Clock = time.monotonic,
    ) -> None:
        """Take the URL of auth's keys, or what returns them: auth itself has them in its database."""
        self.dependencies: tuple[Dependency, ...] = ()
        if isinstance(jwks, str):
            client = HttpClient("auth", jwks, timeout_seconds=FETCH_TIMEOUT_SECONDS)
            self.dependencies = (client.dependency,)  # auth, as `/metrics` shows it
            self._published: Callable[[], JwkSet] = partial(_fetched, client)
        else:
            self._published = jwks
        self._issuer = issuer
        self._audience = audience
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = Bulkhead(share_of_threads(), long_seconds=PATIENCE_SECONDS)
        self._keys: dict[str, PyJWK] = {}
        self._fetched_at = clock()
        self._tried_at: float | None = None
        self._has_failed = False

    def subject(self) -> str:
        """Return the subject of the current request's Bearer token; raise a 401 or 503 `Problem`."""
        return self.caller().subject

    def caller(self) -> Caller:
        """Return whom the current request's Bearer token is about; raise a 401 or 503 `Problem`."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise _refused("token_missing", "Send an access token: Authorization: Bearer <token>.")
        claims = self.claims(token.strip())
        remember_claims(claims)
        return _caller(claims)

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
        if self._keys and self._clock() - self._fetched_at >= KEYS_MAX_AGE_SECONDS:
            self._renew()
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

    def _renew(self) -> None:
        """Fetch the keys anew, in one thread; the others take what they have meanwhile."""
        if not self._lock.acquire(blocking=False):
            return
        try:
            if self._is_time():
                self._fetch()
        finally:
            self._lock.release()

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
            self._keys = _keys_in(self._published())
        except (ServiceUnreachable, OSError, ValueError) as error:
            self._has_failed = True
            log.warning("keys_not_fetched", cause=str(error))
        else:
            self._has_failed = False
            self._fetched_at = self._tried_at


def _caller(claims: Mapping[str, Any]) -> Caller:
    roles = claims.get("roles", [])
    session = claims.get("sid")
    return Caller(
        subject=str(claims["sub"]),
        roles=frozenset(str(role) for role in roles) if isinstance(roles, list) else frozenset(),
        session=None if session is None else str(session),
    )


def _fetched(auth: HttpClient) -> JwkSet:
    answer = auth.request("GET", headers={"Accept": "application/json"})
    if answer.status_code != 200:
        raise ValueError(f"the answer is a {answer.status_code}")
    return cast("JwkSet", json.loads(answer.content))


def _keys_in(published: JwkSet) -> dict[str, PyJWK]:
    from jwt import PyJWKSet  # noqa: PLC0415 - see above
    from jwt.exceptions import PyJWTError  # noqa: PLC0415

    try:
        keys = PyJWKSet.from_dict(dict(published)).keys
    except (PyJWTError, AttributeError, TypeError) as error:
        raise ValueError(f"no usable keys: {error}") from error
    return {str(key.key_id): key for key in keys}


def _refused(code: str, detail: str) -> Problem:
    challenge = "Bearer" if code == "token_missing" else 'Bearer error="invalid_token"'
    return Problem(401, code, detail, headers={"WWW-Authenticate": challenge})
