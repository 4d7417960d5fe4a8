"""What an operation may answer instead of what was asked for: problems by their status, each with its codes.

The kit's own come by themselves: they follow from what an operation takes. A service names only those of its handler.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pydantic import BaseModel

from platform_kit.api.operation import Operation
from platform_kit.api.version import Version

Refusals = Mapping[int, Sequence[str]]

# Whoever calls may say how long they wait, and what is there to be asked is asked of a database.
OF_EVERY_CALL: Refusals = {
    400: ("timeout_invalid",),
    500: ("internal_error",),
    503: ("database_unavailable", "deadline_passed"),
}
OF_A_TOKEN: Refusals = {
    401: ("token_missing", "token_invalid", "token_expired"),
    503: ("auth_unavailable",),
}
OF_A_BODY: Refusals = {
    400: ("json_malformed",),
    413: ("request_entity_too_large",),
    415: ("json_expected",),
    422: ("invalid_request",),
}
OF_A_QUERY: Refusals = {422: ("invalid_request",)}
OF_A_PATH: Refusals = {404: ("not_found",)}
OF_A_PREVIEW: Refusals = {404: ("not_found",)}
OF_A_SUNSET: Refusals = {410: ("version_gone",)}


class Refusal(BaseModel):
    """A problem (RFC 9457). `code` is stable and for programs, `detail` for people."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


class FieldError(BaseModel):
    """A field that is wrong."""

    field: str
    message: str


class InvalidRequest(Refusal):
    """The fields that are wrong, by the path to each."""

    errors: list[FieldError]


class VersionGone(Refusal):
    """The version has ended: the same resource in its successor, and what to read."""

    successor: str
    documentation: str


SHAPES: Mapping[str, type[Refusal]] = {
    "version_gone": VersionGone,
    "invalid_request": InvalidRequest,
}


def shape_of(code: str) -> type[Refusal]:
    """Return the shape of the problems with a code."""
    return SHAPES.get(code, Refusal)


def refusals(operation: Operation, version: Version) -> dict[int, tuple[str, ...]]:
    """Return everything that an operation may refuse in a version, in the order of the statuses."""
    found: dict[int, set[str]] = {}
    for some in (
        OF_EVERY_CALL,
        OF_A_TOKEN if operation.secured else {},
        OF_A_BODY if operation.body else {},
        OF_A_QUERY if operation.query else {},
        OF_A_PATH if "<" in operation.path else {},
        OF_A_PREVIEW if version.preview else {},
        OF_A_SUNSET if version.sunset else {},
        operation.refusals,
    ):
        for status, codes in some.items():
            found.setdefault(status, set()).update(codes)
    return {status: tuple(sorted(found[status])) for status in sorted(found)}
