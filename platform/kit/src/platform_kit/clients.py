"""How a service calls another one: through the router's inner listener, bounded in every respect.

A call has a time-out for all its tries together, or less if the request that it is made for has less left; that goes
along as a header, with the request id and the trace. It takes a place in the dependency's bulkhead and passes its
circuit. It is tried again only where that cannot do something twice, and within a budget.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from platform_kit import deadline, spans
from platform_kit.dependency import Call, Dependency, Outcome
from platform_kit.errors import NotCalled, ServiceUnreachable
from platform_kit.logs import current_request_id
from platform_kit.retries import may_be_repeated, pauses
from platform_kit.trace import current_trace

if TYPE_CHECKING:
    import httpx

    from platform_kit.service_tokens import ServiceTokens

# A call that was given less than this share of its time-out, and did not make it, says nothing about the dependency.
FAIR_SHARE = 0.5
# With less than the header can say nothing is sent.
LEAST_SECONDS = 0.001


class HttpClient:
    """Calls what is at `base_url` and below it. Shared by all threads."""

    def __init__(self, dependency: str, base_url: str, *, timeout_seconds: float) -> None:
        from platform_kit.wire import open_client  # noqa: PLC0415 - only who calls others pays for httpx

        self.dependency = Dependency(dependency)
        self._base_url = base_url
        self._timeout_seconds = timeout_seconds
        self._client = open_client(
            connections=self.dependency.bulkhead.places,
            timeout_seconds=timeout_seconds,
            secure=base_url.startswith("https://"),
        )

    def request(
        self,
        method: str,
        path: str = "",
        *,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> httpx.Response:
        """Return the answer, whatever its status; raise `ServiceUnreachable` when there is none.

        `path` is below the base: `reservations/7`. A request that only reads, has an `Idempotency-Key` or is
        `idempotent` is sent again after a 5xx without `Retry-After` and after a broken connection, but not after
        silence: that has taken the time that there was.
        """
        sent = _Sent(method, f"{self._base_url}{path.lstrip('/')}", json, dict(headers or {}))
        may_repeat = may_be_repeated(method, sent.headers, idempotent=idempotent)
        self.dependency.budget.pay_in()
        with deadline.within(self._timeout_seconds):
            return self._persist(sent, pauses() if may_repeat else ()).answer()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._client.close()

    def _persist(self, sent: _Sent, pauses: Iterable[float]) -> _Tried:
        tried = self._try(sent)
        for pause in pauses:
            if not (tried.worth_repeating and self._can_afford(pause)):
                break
            time.sleep(pause)
            tried = self._try(sent)
        return tried

    def _can_afford(self, pause_seconds: float) -> bool:
        left = deadline.remaining_seconds(self._timeout_seconds)
        return left > pause_seconds and self.dependency.budget.take()

    def _try(self, sent: _Sent) -> _Tried:
        try:
            with self.dependency.call() as call:
                return self._send(sent, call)
        except NotCalled as refused:
            return _Tried(self._unreachable(refused, after=refused.retry_after_seconds))

    def _send(self, sent: _Sent, call: Call) -> _Tried:
        import httpx  # noqa: PLC0415 - see above

        given = deadline.remaining_seconds(self._timeout_seconds)
        if given < LEAST_SECONDS:
            call.outcome = Outcome.CUT_SHORT
            return _Tried(self._unreachable(TimeoutError("there is no time left to ask it")))
        call.outcome = Outcome.FAILED
        try:
            answer = self._exchange(sent, {**_context(given), **sent.headers})
        except httpx.TimeoutException as error:
            was_fair = given >= FAIR_SHARE * self._timeout_seconds
            call.outcome = Outcome.TIMED_OUT if was_fair else Outcome.CUT_SHORT
            return _Tried(self._unreachable(error))
        except httpx.RequestError as error:
            return _Tried(self._unreachable(error), worth_repeating=True)
        if answer.status_code < 500:
            call.outcome = Outcome.ANSWERED
            return _Tried(answer)
        return _Tried(answer, worth_repeating="Retry-After" not in answer.headers)

    def _exchange(self, sent: _Sent, headers: Mapping[str, str]) -> httpx.Response:
        recorder = spans.recorder()
        if recorder is None:
            return self._client.request(sent.method, sent.url, json=sent.json, headers=headers)
        named = self.dependency.name
        with recorder.call(sent.method, sent.url, headers, dependency=named) as call:
            headers = {**headers, **call.trace.headers()}
            answer = self._client.request(sent.method, sent.url, json=sent.json, headers=headers)
            call.answered(answer.status_code)
            return answer

    def _unreachable(self, error: Exception, *, after: int = 1) -> ServiceUnreachable:
        cause = getattr(error, "cause", None) or str(error) or type(error).__name__
        unreachable = ServiceUnreachable(
            self.dependency.name, cause=cause, retry_after_seconds=after
        )
        unreachable.__cause__ = error
        return unreachable


class ServiceClient(HttpClient):
    """Calls `<router_url>/<service>/api/v1/...`. One for each service.

    With `tokens` each call says which service makes it. One whose token is refused is made once more with another:
    auth may have thrown its keys away, and nothing was done.
    """

    def __init__(
        self,
        router_url: str,
        service: str,
        *,
        timeout_seconds: float = 2.0,
        tokens: ServiceTokens | None = None,
    ) -> None:
        base_url = f"{router_url.rstrip('/')}/{service}/api/v1/"
        super().__init__(service, base_url, timeout_seconds=timeout_seconds)
        self.service = service
        self._tokens = tokens

    def request(
        self,
        method: str,
        path: str = "",
        *,
        json: object = None,
        headers: Mapping[str, str] | None = None,
        idempotent: bool = False,
    ) -> httpx.Response:
        """Return the answer as `HttpClient` does; also raise `ServiceUnreachable` when auth gives no token."""
        tokens = self._tokens
        if tokens is None:
            return super().request(method, path, json=json, headers=headers, idempotent=idempotent)
        given = dict(headers or {})
        with deadline.within(self._timeout_seconds):
            for is_last in (False, True):
                token = tokens.token()
                sent = {**given, "Authorization": f"Bearer {token}"}
                answer = super().request(
                    method, path, json=json, headers=sent, idempotent=idempotent
                )
                if is_last or answer.status_code != 401 or not tokens.replace(token):
                    break
        return answer


@dataclass(frozen=True, slots=True)
class _Sent:
    method: str
    url: str
    json: object
    headers: dict[str, str]


@dataclass(frozen=True, slots=True)
class _Tried:
    result: httpx.Response | ServiceUnreachable
    worth_repeating: bool = False

    def answer(self) -> httpx.Response:
        if isinstance(self.result, ServiceUnreachable):
            raise self.result
        return self.result


def _context(given_seconds: float) -> dict[str, str]:
    """Return the headers that tie a call to the request that it is made for."""
    context = {deadline.HEADER: deadline.render(given_seconds)}
    if request_id := current_request_id():
        context["X-Request-Id"] = request_id
    if trace := current_trace():
        context |= trace.headers()
    return context
