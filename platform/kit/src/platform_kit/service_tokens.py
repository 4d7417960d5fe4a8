"""How a service says to another one who it is: a token of its own, that auth gives it for its name and secret.

Fetched when first needed, and kept. When two thirds of its time are over the next one is fetched beside the requests, which
go on with the one there is until shortly before its end. One thread at a time asks auth; who has no good token while auth gives
none raises `ServiceUnreachable`, a 503 with `Retry-After`. A secret in a file is read anew for each fetch: one that was rotated
needs no restart. Neither secret nor token is ever in a log or an error.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, Field, SecretStr, ValidationError

from platform_kit import deadline
from platform_kit.bulkhead import Bulkhead, share_of_threads
from platform_kit.clients import HttpClient
from platform_kit.errors import ServiceUnreachable
from platform_kit.liveness import Clock
from platform_kit.logs import logger

FETCH_TIMEOUT_SECONDS = 2.0
# Of a token of 15 minutes five are left then: auth may be away for as long.
RENEW_SHARE = 2 / 3
# For the call that carries it, the queue at its other end, and the difference of two clocks.
LEAST_LEFT_SECONDS = 30.0
# While auth gives no token, one request in this time tries again and the others fail at once.
RETRY_SECONDS = 1.0
# A token that was refused is replaced, but one that is younger would be refused again: auth must not be asked for each call.
REPLACE_AFTER_SECONDS = 10.0
# How long those beyond the threads that may wait for a token are patient, as for keys (`platform_kit.tokens`).
PATIENCE_SECONDS = 0.1

log = logger(__name__)


class ServiceTokens:
    """The tokens of this service. Safe to share among threads."""

    def __init__(
        self,
        router_url: str,
        service: str,
        secret: SecretStr | Path,
        *,
        clock: Clock = time.monotonic,
    ) -> None:
        """Take the service's name and its secret, or the file that holds the one of the moment."""
        url = f"{router_url.rstrip('/')}/auth/api/v1/service-tokens"
        # Not `auth`: that one is where the keys come from, and one can be away without the other.
        self._auth = HttpClient("service_tokens", url, timeout_seconds=FETCH_TIMEOUT_SECONDS)
        self.dependency = self._auth.dependency
        self._service = service
        self._secret = secret
        self._clock = clock
        self._lock = threading.Lock()
        self._waiting = Bulkhead(share_of_threads(), long_seconds=PATIENCE_SECONDS)
        self._held: _Held | None = None
        self._tried_at: float | None = None
        self._failure: str | None = None

    def token(self) -> str:
        """Return a token that is good for a while; raise `ServiceUnreachable` when there is none."""
        held = self._good()
        if held is None:
            return self._awaited().token
        if self._clock() >= held.renewed_from:
            self._renew()
        return held.token

    def replace(self, refused: str) -> bool:
        """Let go of a token that was refused; say whether it is worth to come again with another one."""
        held = self._held
        if held is None or held.token != refused:
            return True
        if self._clock() - held.fetched_at < REPLACE_AFTER_SECONDS:
            return False
        self._held = None
        return True

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._auth.close()

    def _good(self) -> _Held | None:
        held = self._held
        return held if held is not None and self._clock() < held.good_until else None

    def _renew(self) -> None:
        """Fetch the next one in a thread of its own, unless one does already."""
        if not self._is_time() or not self._lock.acquire(blocking=False):
            return
        try:
            threading.Thread(target=self._fetch_and_release, daemon=True).start()
        except RuntimeError:  # the system has no thread to give; the token is still good
            self._lock.release()

    def _fetch_and_release(self) -> None:
        try:
            self._fetch()
        finally:
            self._lock.release()

    def _awaited(self) -> _Held:
        entered = self._waiting.enter()
        held = None
        if entered is not None:
            try:
                held = self._fetched()
            finally:
                self._waiting.leave(entered, answered=held is not None)
        if held is None:
            cause = self._failure or "it has not answered yet"
            raise ServiceUnreachable("auth", cause=f"no token for {self._service}: {cause}")
        return held

    def _fetched(self) -> _Held | None:
        has_failed = self._failure is not None
        patience = 0 if has_failed else deadline.remaining_seconds(FETCH_TIMEOUT_SECONDS)
        if not self._lock.acquire(timeout=max(0, patience)):
            return None
        try:
            if self._good() is None and self._is_time():
                self._fetch()
            return self._good()
        finally:
            self._lock.release()

    def _is_time(self) -> bool:
        # After a success there is always need: a token was let go of, or its time is over.
        has_failed = self._failure is not None
        return (
            not has_failed
            or self._tried_at is None
            or self._clock() - self._tried_at >= RETRY_SECONDS
        )

    def _fetch(self) -> None:
        self._tried_at = self._clock()
        try:
            granted = self._ask()
        except (ServiceUnreachable, OSError, ValueError) as error:
            self._failure = str(error)
            log.warning("service_token_not_fetched", cause=self._failure)
            return
        self._failure = None
        self._held = _Held(granted.access_token, self._tried_at, float(granted.expires_in))
        log.info("service_token_fetched", seconds=granted.expires_in)

    def _ask(self) -> _Granted:
        # To make one more does no harm.
        body = {"service": self._service, "secret": _current(self._secret)}
        answer = self._auth.request("POST", json=body, idempotent=True)
        if answer.status_code in {401, 422}:
            raise ValueError("auth does not know the service by this secret")
        if answer.status_code != 200:
            raise ValueError(f"the answer is a {answer.status_code}")
        try:
            return _Granted.model_validate_json(answer.content)
        except ValidationError:
            raise ValueError("the answer is no token") from None  # pydantic's text shows it


class _Granted(BaseModel):
    access_token: Annotated[str, Field(pattern=r"^[\x21-\x7e]+$")]  # goes into a header
    expires_in: Annotated[int, Field(gt=0)]


@dataclass(frozen=True, slots=True)
class _Held:
    token: str
    fetched_at: float
    lasts_seconds: float

    @property
    def renewed_from(self) -> float:
        return self.fetched_at + self.lasts_seconds * RENEW_SHARE

    @property
    def good_until(self) -> float:
        return (
            self.fetched_at + self.lasts_seconds - min(LEAST_LEFT_SECONDS, self.lasts_seconds / 4)
        )


def _current(secret: SecretStr | Path) -> str:
    if isinstance(secret, SecretStr):
        return secret.get_secret_value()
    return secret.read_text(encoding="utf-8").strip()
