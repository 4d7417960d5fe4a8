"""Errors as clients see them: application/problem+json (RFC 9457), always with a code and the request id."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from http import HTTPStatus

from flask import Flask, Response
from pydantic import ValidationError
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from platform_kit.errors import Unreachable
from platform_kit.logs import current_request_id, logger

log = logger(__name__)


class Problem(Exception):  # noqa: N818 - it is an answer, not a fault of the program
    """An answer that is not the one asked for. `code` is stable and meant for programs, `detail` for people."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        title: str | None = None,
        headers: Mapping[str, str] | None = None,
        **extra: object,
    ) -> None:
        super().__init__(f"{status} {code}: {detail}")
        self.status = status
        self.code = code
        self.detail = detail
        self.title = title or _phrase(status)
        self.headers = dict(headers or {})
        self.extra = extra

    def response(self) -> Response:
        """Return the problem as an answer to the current request."""
        body = {
            "type": "about:blank",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            "request_id": current_request_id(),
            **self.extra,
        }
        return Response(
            json.dumps(body, default=str),
            status=self.status,
            headers=self.headers,
            content_type="application/problem+json",
        )


def render_problems(app: Flask) -> None:
    """Make every error of the app come out as a problem."""
    app.register_error_handler(Problem, Problem.response)
    app.register_error_handler(ValidationError, _render_validation)
    app.register_error_handler(Unreachable, _render_unreachable)
    app.register_error_handler(HTTPException, _render_http)
    app.register_error_handler(Exception, _render_unexpected)


def invalid(error: ValidationError) -> Problem:
    """Return the 422 that names every field that is wrong, without the values that were sent."""
    fields = error.errors(include_input=False, include_url=False, include_context=False)
    errors = [
        {"field": ".".join(str(part) for part in field["loc"]), "message": field["msg"]}
        for field in fields
    ]
    return Problem(422, "invalid_request", "The request has invalid values.", errors=errors)


def _render_validation(error: ValidationError) -> Response:
    return invalid(error).response()


def _render_unreachable(error: Unreachable) -> Response:
    log.warning("dependency_unreachable", dependency=error.dependency, cause=error.cause)
    return Problem(
        503,
        f"{error.dependency}_unavailable",
        f"This needs the {error.dependency}, which cannot be reached now. Try again.",
        headers={"Retry-After": str(error.retry_after_seconds)},
    ).response()


def _render_http(error: HTTPException) -> BaseResponse:
    answer = error.get_response()
    if error.response is not None or answer.status_code < 400:
        return answer  # a redirect, or abort(response)
    headers = {
        name: value
        for name, value in answer.headers.items()
        if name.lower() not in {"content-type", "content-length"}
    }
    name = error.name  # werkzeug's: the standard library's differ from one Python to the next
    code = "_".join(re.findall("[a-z0-9]+", name.lower().replace("'", "")))
    detail = error.description or name
    return Problem(answer.status_code, code, detail, title=name, headers=headers).response()


def _render_unexpected(error: Exception) -> Response:
    log.error("request_failed", exc_info=error)
    return Problem(500, "internal_error", "The service failed to answer this request.").response()


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Unknown"
