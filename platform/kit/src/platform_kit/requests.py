"""What the kit knows of the current request: its id, its place in a trace, and how long it has taken."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any, NamedTuple

from flask import Flask, Response, request

from platform_kit import trace
from platform_kit.logs import carried, logger

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextvars import Token

    from platform_kit.flags.encounters import Encounters, Met
    from platform_kit.instance import Instance
    from platform_kit.metrics import Begun
    from platform_kit.trace import Trace

# What a client may choose as an id: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_OBSERVED = "platform_kit.observed"  # the key in its WSGI environment


class Observed(NamedTuple):
    """What is kept of a request until it is over."""

    request_id: str
    begun: Begun
    keys: Token[Mapping[str, str]]
    trace: Token[Trace | None]
    flags: Token[Met | None] | None


def current_request_id() -> str | None:
    """Return the id of the request being answered, None outside of one."""
    return carried.get().get("request_id")


def observe_requests(app: Flask, instance: Instance, encounters: Encounters | None = None) -> None:
    """Give every request an id, count and time it, log its end, and sign the answer.

    `encounters` counts the flags that it meets.
    """
    served_by = f"{instance.service}@{instance.settings.version} ({instance.settings.slot})"
    metrics = instance.metrics
    # Bound once: to put a logger together costs as much as to write the line.
    log = logger(__name__).bind()

    @app.before_request
    def begin() -> None:
        environ = request.environ
        request_id = _chosen_id(environ) or secrets.token_hex(8)
        span = trace.received(
            environ.get("HTTP_TRACEPARENT", ""), environ.get("HTTP_TRACESTATE", "")
        )
        keys = {"request_id": request_id, "trace_id": span.trace_id, "span_id": span.span_id}
        environ[_OBSERVED] = Observed(
            request_id,
            metrics.begin(),
            carried.set(keys),
            trace.begin(span),
            encounters.begin() if encounters else None,
        )

    @app.after_request
    def sign(response: Response) -> Response:
        environ, rule = request.environ, request.url_rule
        observed: Observed = environ[_OBSERVED]
        seconds = time.monotonic() - observed.begun.at
        method, status = environ["REQUEST_METHOD"], response.status_code
        route = rule.rule if rule else "unmatched"
        metrics.answers.count(method, route, status=status, seconds=seconds)
        if encounters:
            encounters.count(status=status, seconds=seconds)
        log.info(
            "request_finished",
            method=method,
            route=route,
            status=status,
            seconds=round(seconds, 6),
        )
        response.headers["X-Served-By"] = served_by
        response.headers["X-Request-Id"] = observed.request_id
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        observed: Observed | None = request.environ.pop(_OBSERVED, None)
        if observed is None:
            return
        metrics.end(observed.begun)
        if encounters and observed.flags:
            encounters.end(observed.flags)
        trace.end(observed.trace)
        carried.reset(observed.keys)


def _chosen_id(environ: dict[str, Any]) -> str | None:
    chosen = environ.get("HTTP_X_REQUEST_ID", "")
    return chosen if _REQUEST_ID.fullmatch(chosen) else None
