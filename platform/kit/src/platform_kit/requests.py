"""What the kit does round every request: an id, a place in a trace, a deadline, counts, a line of log, careful headers.

All of it in one WSGI layer round the app. As hooks of Flask's the same took three times as long: each hook is called
through several functions, and asks for the request and its headers through proxies that look them up anew.
"""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from flask import Flask, request

from platform_kit import deadline, spans, trace
from platform_kit.deadline import Deadline
from platform_kit.headers import added_headers
from platform_kit.logs import RequestLines, carried, identity
from platform_kit.patience import TooLate, asked_seconds
from platform_kit.problems import Problem

if TYPE_CHECKING:
    from platform_kit.flags.encounters import Encounters
    from platform_kit.instance import Instance

# What a client may choose as an id: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OBSERVED = "platform_kit.observed"  # the key in a request's WSGI environment

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


class Observed:
    """What the app tells the layer of a request, and the layer the app."""

    __slots__ = ("refusal", "route")

    def __init__(self, refusal: Problem | None) -> None:
        self.refusal = refusal  # what comes with an impossible deadline is not begun
        self.route = "unmatched"


class Observer:
    """The layer: a WSGI app round another one."""

    def __init__(
        self, wsgi: Wsgi, instance: Instance, encounters: Encounters | None = None
    ) -> None:
        self._wsgi = wsgi
        self._encounters = encounters
        self._metrics = instance.metrics
        self._request_seconds = instance.settings.request_seconds
        who = identity(instance.service, instance.settings)
        self._lines = RequestLines(who, instance.settings.log_level)
        self._served_by = ("X-Served-By", "{service}@{version} ({slot})".format(**who))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as the app does."""
        begun = self._metrics.begin()
        request_id = _chosen_id(environ) or secrets.token_hex(8)
        span = trace.received(
            environ.get("HTTP_TRACEPARENT", ""), environ.get("HTTP_TRACESTATE", "")
        )
        recorder = spans.recorder()
        recorded = recorder.serve(span, environ) if recorder else None
        if recorded:
            span = recorded.trace
        keys = {"request_id": request_id, "trace_id": span.trace_id, "span_id": span.span_id}
        seconds, refusal = self._patience(environ)
        observed = environ[_OBSERVED] = Observed(refusal)
        encounters = self._encounters

        def start(status: str, headers: list[tuple[str, str]], *more: object) -> Any:  # noqa: ANN401 - WSGI's
            code, took = int(status[:3]), time.monotonic() - begun.at
            method = environ["REQUEST_METHOD"]
            self._metrics.answers.count(method, observed.route, status=code, seconds=took)
            if encounters:
                encounters.count(status=code, seconds=took)
            if recorded:
                recorded.served(method, observed.route, status=code)
            self._lines.finished(method, observed.route, status=code, seconds=took, keys=keys)
            headers += added_headers(headers, has_token="HTTP_AUTHORIZATION" in environ)
            headers += (self._served_by, ("X-Request-Id", request_id))
            return start_response(status, headers, *more)

        carried_before, trace_before = carried.set(keys), trace.begin(span)
        deadline_before = deadline.begin(Deadline.after(seconds))
        flags_before = encounters.begin() if encounters else None
        try:
            return self._wsgi(environ, start)
        finally:
            if encounters and flags_before:
                encounters.end(flags_before)
            deadline.end(deadline_before)
            trace.end(trace_before)
            carried.reset(carried_before)
            if recorded:
                recorded.end()
            self._metrics.end(begun)

    def _patience(self, environ: Environ) -> tuple[float, Problem | None]:
        try:
            asked = asked_seconds(environ)
        except Problem as problem:
            return self._request_seconds, problem
        seconds = min(asked, self._request_seconds) - deadline.queued_seconds()
        return seconds, TooLate() if seconds <= 0 else None


def observe_requests(app: Flask, instance: Instance, encounters: Encounters | None = None) -> None:
    """Put the layer round the app. `encounters` counts the flags that a request meets."""

    @app.before_request
    def admit() -> None:
        observed: Observed = request.environ[_OBSERVED]
        rule = request.url_rule
        if rule is not None:
            observed.route = rule.rule
        if observed.refusal is not None:
            raise observed.refusal

    app.wsgi_app = Observer(app.wsgi_app, instance, encounters)  # type: ignore[method-assign]


def _chosen_id(environ: Environ) -> str | None:
    chosen = environ.get("HTTP_X_REQUEST_ID")
    return chosen if chosen and _REQUEST_ID.fullmatch(chosen) else None
