"""What the kit knows of the current request: its id, its place in a trace, and how long it has taken."""

from __future__ import annotations

import re
import secrets
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING

import structlog
from flask import Flask, Response, g, request

from platform_kit import trace
from platform_kit.logs import logger

if TYPE_CHECKING:
    from platform_kit.instance import Instance

# What a client may choose as an id: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_request_id: ContextVar[str | None] = ContextVar("request_id", default=None)

log = logger(__name__)


def current_request_id() -> str | None:
    """Return the id of the request being answered, None outside of one."""
    return _request_id.get()


def observe_requests(app: Flask, instance: Instance) -> None:
    """Give every request an id, count and time it, log its end, and sign the answer."""
    served_by = f"{instance.service}@{instance.settings.version} ({instance.settings.slot})"
    metrics = instance.metrics

    @app.before_request
    def begin() -> None:
        request_id = _chosen_id() or secrets.token_hex(8)
        g.platform_id = _request_id.set(request_id)
        span = trace.received(
            request.headers.get("traceparent", ""), request.headers.get("tracestate", "")
        )
        g.platform_trace = trace.begin(span)
        structlog.contextvars.bind_contextvars(
            request_id=request_id, trace_id=span.trace_id, span_id=span.span_id
        )
        g.platform_begun = metrics.begin()

    @app.after_request
    def sign(response: Response) -> Response:
        seconds = time.monotonic() - g.platform_begun.at
        route = request.url_rule.rule if request.url_rule else "unmatched"
        status = response.status_code
        metrics.count(request.method, route, status=status, seconds=seconds)
        log.info(
            "request_finished",
            method=request.method,
            route=route,
            status=status,
            seconds=round(seconds, 6),
        )
        response.headers["X-Served-By"] = served_by
        response.headers["X-Request-Id"] = current_request_id() or ""
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        if "platform_begun" in g:
            metrics.end(g.pop("platform_begun"))
            structlog.contextvars.unbind_contextvars("request_id", "trace_id", "span_id")
            trace.end(g.pop("platform_trace"))
            _request_id.reset(g.pop("platform_id"))


def _chosen_id() -> str | None:
    chosen = request.headers.get("X-Request-Id", "")
    return chosen if _REQUEST_ID.fullmatch(chosen) else None
