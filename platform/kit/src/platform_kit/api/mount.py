"""Put every version of an interface into a Flask app: /api/v1, /api/v2 and so on, each with its document."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

from flask import Flask, g
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from pydantic_core import to_json

from platform_kit.api.api import Api
from platform_kit.api.document import Document, document
from platform_kit.api.operation import Answered, Operation, Shape
from platform_kit.api.page import PAGE_HEADERS, page
from platform_kit.api.served import endpoint, prefix
from platform_kit.api.version import Version
from platform_kit.lean import LeanResponse

_KEY = "platform_kit.api"


def mount(app: Flask, api: Api) -> None:
    """Serve all versions of the interface, with their documents."""
    app.extensions[_KEY] = api
    for version in api.versions:
        _serve_operations(app, api, version)
        _serve_document(app, api, version)


def api_of(app: Flask) -> Api:
    """Return the interface of an app that has one."""
    api: Api = app.extensions[_KEY]
    return api


def _serve_operations(app: Flask, api: Api, version: Version) -> None:
    for shape in api.shapes(version):
        app.add_url_rule(
            f"{prefix(version)}{shape.operation.path}",
            endpoint=endpoint(version, shape.operation.name),
            view_func=_view(shape),
            methods=[shape.operation.method],
        )


def _view(shape: Shape) -> Callable[..., ResponseReturnValue]:
    operation = shape.operation

    def view(**arguments: object) -> ResponseReturnValue:
        if shape.steps:
            g.platform_shape = shape
        body, status, headers = _parts(operation, operation.handler(**arguments))
        if body is None:
            return "", status, headers
        return LeanResponse(
            to_json(shape.down(body.model_dump(mode="json")))
            if shape.steps
            else body.model_dump_json(),
            status,
            headers,
            mimetype="application/json",
        )

    return view


def _parts(
    operation: Operation, answered: Answered
) -> tuple[BaseModel | None, int, dict[str, str]]:
    always = operation.answer_headers
    match answered:
        case (body, status, headers):
            return body, status, {**always, **headers}
        case (body, status):
            return body, status, {**always}
        case body:
            return body, operation.statuses[0], {**always}


def _serve_document(app: Flask, api: Api, version: Version) -> None:
    @cache  # made when it is first asked for: 15 ms that a start need not take
    def described() -> Document:
        return document(app.name, api, version)

    @app.get(f"{prefix(version)}/openapi.json", endpoint=endpoint(version, "openapi.json"))
    def openapi() -> ResponseReturnValue:
        return described()

    @app.get(f"{prefix(version)}/docs", endpoint=endpoint(version, "docs"))
    def docs() -> ResponseReturnValue:
        return page(described()), PAGE_HEADERS
