"""What the kit knows of the current request: its id and how long it has taken."""

from __future__ import annotations

import re
import secrets
import time
from typing import TYPE_CHECKING, Any

from flask import Flask, Response, request

from platform_kit.logs import carried, logger

if TYPE_CHECKING:
    from platform_kit.flags.encounters import Encounters
    from platform_kit.instance import Instance

# What a client may choose as an id: it goes into logs and headers.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_BEGUN = "platform_kit.begun"  # what is kept of a request, in its WSGI environment


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
        request_id = _chosen_id(request.environ) or secrets.token_hex(8)
        token = carried.set({"request_id": request_id})
        flags = encounters.begin() if encounters else None
        request.environ[_BEGUN] = metrics.begin(), request_id, token, flags

    @app.after_request
    def sign(response: Response) -> Response:
        environ, rule = request.environ, request.url_rule
        begun, request_id, *_ = environ[_BEGUN]
        seconds = time.monotonic() - begun.at
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
        response.headers["X-Request-Id"] = request_id
        return response

    @app.teardown_request
    def end(_: BaseException | None) -> None:
        found = request.environ.pop(_BEGUN, None)
        if found is not None:
            begun, _, token, flags = found
            metrics.end(begun)
            if encounters and flags:
                encounters.end(flags)
            carried.reset(token)


def _chosen_id(environ: dict[str, Any]) -> str | None:
    chosen = environ.get("HTTP_X_REQUEST_ID", "")
    return chosen if _REQUEST_ID.fullmatch(chosen) else None
