"""What the kit does round every request: an id, a place in a trace, a deadline, counts, a line of log, careful headers.

All of it in one WSGI layer round the app. As hooks of Flask's the same took three times as long: each hook is called
through several functions, and asks for the request and its headers through proxies that look them up anew.
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterable
from contextvars import ContextVar
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Request
from flask.typing import ResponseReturnValue

from platform_kit import deadline, spans, trace
from platform_kit.deadline import Deadline
from platform_kit.flags.encounters import met
from platform_kit.headers import added_headers
from platform_kit.lean import LeanFlask
from platform_kit.logs import RequestLines, carried, identity
from platform_kit.patience import TooLate, asked_seconds
from platform_kit.problems import Problem
from platform_kit.trace import Trace

if TYPE_CHECKING:
    from platform_kit.api.served import Ending, ServedApi
    from platform_kit.flags.encounters import Encounters
    from platform_kit.instance import Instance

# What a client may choose as an id: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_REQUEST = "werkzeug.request"  # where werkzeug leaves the request in its WSGI environment
UNMATCHED = "unmatched"

Environ = dict[str, Any]
StartResponse = Callable[..., Any]
Wsgi = Callable[[Environ, StartResponse], Iterable[bytes]]


# Raises the reason, if there is one, why a request is refused before any of the app's functions.
_refuse: ContextVar[Callable[[], None] | None] = ContextVar("refuse", default=None)


class Observer:
    """The layer: a WSGI app round another one."""

    def __init__(
        self,
        wsgi: Wsgi,
        instance: Instance,
        lines: RequestLines,
        *,
        encounters: Encounters | None = None,
        api: ServedApi | None = None,
    ) -> None:
        self._wsgi = wsgi
        self._api = api
        self._encounters = encounters
        self._lines = lines
        self._metrics = instance.metrics
        self._request_seconds = instance.settings.request_seconds
        who = identity(instance.service, instance.settings)
        self._served_by = ("X-Served-By", "{service}@{version} ({slot})".format(**who))

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request as the app does."""
        begun_at = time.monotonic()
        begun = self._metrics.begin(begun_at)
        request_id, span = _ids(environ)
        recorder = spans.recorder()
        recorded = recorder.serve(span, environ) if recorder else None
        if recorded:
            span = recorded.trace
        keys = {"request_id": request_id, "trace_id": span.trace_id, "span_id": span.span_id}
        api, encounters = self._api, self._encounters
        ending = api.ending(environ["PATH_INFO"]) if api else None

        def start(status: str, headers: list[tuple[str, str]], *more: object) -> Any:  # noqa: ANN401 - WSGI's
            code, took = int(status[:3]), time.monotonic() - begun_at
            method, route = environ["REQUEST_METHOD"], UNMATCHED
            request: Request | None = environ.get(_REQUEST)
            # The template of the route: of paths there are any number.
            if request and (rule := request.url_rule):
                route = rule.rule
                if api:
                    api.count(rule.endpoint)
            self._metrics.answers.count(method, route, status=code, seconds=took)
            if encounters:
                encounters.count(status=code, seconds=took)
            if recorded:
                recorded.served(method, route, status=code)
            self._lines.finished(method, route, status=code, seconds=took, keys=keys)
            if ending:
                headers += ending.headers()
            headers += added_headers(headers, has_token="HTTP_AUTHORIZATION" in environ)
            headers += (self._served_by, ("X-Request-Id", request_id))
            return start_response(status, headers, *more)

        seconds, refuse = self._door(environ, ending)
        refuse_before = _refuse.set(refuse)
        carried_before, trace_before = carried.set(keys), trace.current.set(span)
        deadline_before = deadline.current.set(Deadline(begun_at + seconds))
        flags_before = met.set({}) if encounters else None
        try:
            return self._wsgi(environ, start)
        finally:
            if flags_before:
                met.reset(flags_before)
            deadline.current.reset(deadline_before)
            trace.current.reset(trace_before)
            carried.reset(carried_before)
            _refuse.reset(refuse_before)
            if recorded:
                recorded.end()
            self._metrics.end(begun)

    def _door(
        self, environ: Environ, ending: Ending | None
    ) -> tuple[float, Callable[[], None] | None]:
        """Return how long the caller waits from now on, and what may refuse the request."""
        try:
            asked = asked_seconds(environ)
        except Problem as problem:
            return self._request_seconds, partial(_raise, problem)
        seconds = min(asked, self._request_seconds) - deadline.queued.get()
        if seconds <= 0:
            return seconds, partial(_raise, TooLate())
        return seconds, partial(self._api.refuse, ending) if self._api and ending else None


class ObservedFlask(LeanFlask):
    """An app that begins nothing for a caller who has stopped waiting, or of a version that has ended.

    Not by `before_request`: each such function is called through several others.
    """

    def preprocess_request(self) -> ResponseReturnValue | None:
        """Raise what refuses the request before any of the app's functions."""
        if refuse := _refuse.get():
            refuse()
        return super().preprocess_request()

    def observe(
        self,
        instance: Instance,
        lines: RequestLines,
        *,
        encounters: Encounters | None = None,
        api: ServedApi | None = None,
    ) -> None:
        """Put the layer round the app. `encounters` counts the flags that a request meets, `api` its calls."""
        self.wsgi_app = Observer(  # type: ignore[method-assign]
            self.wsgi_app, instance, lines, encounters=encounters, api=api
        )


def _ids(environ: Environ) -> tuple[str, Trace]:
    """Return the request's id, which is the client's if that is a good one, and its place in a trace."""
    fresh = trace.new_id(32)  # of both
    chosen, parent = environ.get("HTTP_X_REQUEST_ID"), environ.get("HTTP_TRACEPARENT")
    request_id = chosen if chosen and _REQUEST_ID.fullmatch(chosen) else fresh[:16]
    if parent:
        return request_id, trace.received(parent, environ.get("HTTP_TRACESTATE", ""))
    return request_id, Trace(fresh[16:48], fresh[48:])


def _raise(problem: Problem) -> None:
    raise problem
