"""What the kit does round every request: an id, a place in a trace, a deadline, counts, a line of log, careful headers.

All of it in one WSGI layer round the app. As hooks of Flask's the same took three times as long: each hook is called
through several functions, and asks for the request and its headers through proxies that look them up anew.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

from flask import Flask, Request
from flask.typing import ResponseReturnValue

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
_REQUEST = "werkzeug.request"  # where werkzeug leaves the request in its WSGI environment

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


# What comes with an impossible deadline is not begun.
_refusal: ContextVar[Problem | None] = ContextVar("refusal", default=None)


class Observer:
    """The layer: a WSGI app round another one."""

    def __init__(
        self,
        wsgi: Wsgi,
        instance: Instance,
        lines: RequestLines,
        encounters: Encounters | None = None,
    ) -> None:
        self._wsgi = wsgi
        self._encounters = encounters
        self._lines = lines
        self._metrics = instance.metrics
        self._request_seconds = instance.settings.request_seconds
        who = identity(instance.service, instance.settings)
        self._served_by = ("X-Served-By", "{service}@{version} ({slot})".format(**who))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as the app does."""
        begun = self._metrics.begin()
        request_id = _chosen_id(environ) or trace.new_id(8)
        span = trace.received(
            environ.get("HTTP_TRACEPARENT", ""), environ.get("HTTP_TRACESTATE", "")
        )
        recorder = spans.recorder()
        recorded = recorder.serve(span, environ) if recorder else None
        if recorded:
            span = recorded.trace
        keys = {"request_id": request_id, "trace_id": span.trace_id, "span_id": span.span_id}
        seconds, refusal = self._patience(environ)
        encounters = self._encounters

        def start(status: str, headers: list[tuple[str, str]], *more: object) -> Any:  # noqa: ANN401 - WSGI's
            code, took = int(status[:3]), time.monotonic() - begun.at
            method, route = environ["REQUEST_METHOD"], _route(environ)
            self._metrics.answers.count(method, route, status=code, seconds=took)
            if encounters:
                encounters.count(status=code, seconds=took)
            if recorded:
                recorded.served(method, route, status=code)
            self._lines.finished(method, route, status=code, seconds=took, keys=keys)
            headers += added_headers(headers, has_token="HTTP_AUTHORIZATION" in environ)
            headers += (self._served_by, ("X-Request-Id", request_id))
            return start_response(status, headers, *more)

        carried_before, trace_before = carried.set(keys), trace.begin(span)
        deadline_before = deadline.begin(Deadline.after(seconds))
        flags_before = encounters.begin() if encounters else None
        refusal_before = _refusal.set(refusal) if refusal else None
        try:
            return self._wsgi(environ, start)
        finally:
            if refusal_before:
                _refusal.reset(refusal_before)
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


class ObservedFlask(Flask):
    """An app that begins nothing for a caller who has stopped waiting.

    Not by `before_request`: each such function is called through several others.
    """

    def __init__(self, name: str) -> None:
        """Take the service's name; none of the kit's apps has static files."""
        super().__init__(name, static_folder=None)
        self._in_sync: dict[Callable[..., Any], Callable[..., Any]] = {}

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return what calls a function, as Flask does, which looks anew at each call whether it is a coroutine."""
        known = self._in_sync.get(func)
        if known is None:
            known = self._in_sync[func] = super().ensure_sync(func)
        return known

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Raise what refuses the request before any of the app's functions."""
        refusal = _refusal.get()
        if refusal is not None:
            raise refusal
        return super().preprocess_request()

    def observe(
        self, instance: Instance, lines: RequestLines, encounters: Encounters | None = None
    ) -> None:
        """Put the layer round the app. `encounters` counts the flags that a request meets."""
        self.wsgi_app = Observer(  # type: ignore[method-assign]
            self.wsgi_app, instance, lines, encounters
        )


def _chosen_id(environ: Environ) -> str | None:
    chosen = environ.get("HTTP_X_REQUEST_ID")
    return chosen if chosen and _REQUEST_ID.fullmatch(chosen) else None


def _route(environ: Environ) -> str:
    """Return the template of the request's route: of paths there are any number."""
    request: Request | None = environ.get(_REQUEST)
    rule = request.url_rule if request else None
    return rule.rule if rule else "unmatched"
