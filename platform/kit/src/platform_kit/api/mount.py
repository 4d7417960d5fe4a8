"""Put every version of an interface into a Flask app: /api/v1, /api/v2 and so on, each with its document.

A version that is deprecated says so in every answer below its path, refusals included. After its sunset all of that is 410.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from flask import Flask, Response, g, request
from flask.typing import ResponseReturnValue
from pydantic import BaseModel
from pydantic_core import to_json
from werkzeug.exceptions import NotFound

from platform_kit.api.api import Api
from platform_kit.api.consumer import Consumers
from platform_kit.api.document import Document, document
from platform_kit.api.links import Links
from platform_kit.api.operation import Answered, Operation, Shape
from platform_kit.api.page import PAGE_HEADERS, page
from platform_kit.api.version import Version
from platform_kit.instance import Instance
from platform_kit.problems import Problem

API_PREFIX = "/api"
_KEY = "platform_kit.api"


def mount(app: Flask, api: Api, instance: Instance) -> None:
    """Serve all versions of the interface, with their documents, and count who calls which."""
    app.extensions[_KEY] = api
    for version in api.versions:
        _serve_operations(app, api, version)
        _serve_document(app, api, version)
    operations = _by_endpoint(api)
    _refuse_what_is_not_served(app, api, instance, operations)
    _finish_answers(app, api, instance, operations)


def api_of(app: Flask) -> Api:
    """Return the interface of an app that has one."""
    api: Api = app.extensions[_KEY]
    return api


def _serve_operations(app: Flask, api: Api, version: Version) -> None:
    for shape in api.shapes(version):
        app.add_url_rule(
            f"{_prefix(version)}{shape.operation.path}",
            endpoint=_endpoint(version, shape.operation.name),
            view_func=_view(shape),
            methods=[shape.operation.method],
        )


def _view(shape: Shape) -> Callable[..., ResponseReturnValue]:
    def view(**arguments: object) -> ResponseReturnValue:
        g.platform_shape = shape
        answered = shape.operation.handler(**arguments)
        body, status, headers = _parts(shape.operation, answered)
        if body is None:
            return "", status, headers
        return Response(
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

    @app.get(f"{_prefix(version)}/openapi.json", endpoint=_endpoint(version, "openapi.json"))
    def openapi() -> ResponseReturnValue:
        return described()

    @app.get(f"{_prefix(version)}/docs", endpoint=_endpoint(version, "docs"))
    def docs() -> ResponseReturnValue:
        return page(described()), PAGE_HEADERS


def _by_endpoint(api: Api) -> dict[str | None, Version]:
    return {
        _endpoint(version, operation.name): version
        for version in api.versions
        for operation in api.operations
    }


def _refuse_what_is_not_served(
    app: Flask, api: Api, instance: Instance, operations: Mapping[str | None, Version]
) -> None:
    preview_enabled = api.preview_enabled or (lambda: instance.settings.api_preview)

    @app.before_request
    def refuse() -> None:
        version = operations.get(request.endpoint) or _asked(api)
        if version is None:
            return
        if version.preview and not preview_enabled():
            raise NotFound
        if version.has_ended(api.clock()):
            raise _gone(version, _links(api, version))


def _gone(version: Version, links: Links) -> Problem:
    return Problem(
        410,
        "version_gone",
        f"{version.name} of this interface ended on {version.dates()['Sunset']}.",
        successor=links.resource,
        documentation=links.documentation,
    )


def _finish_answers(
    app: Flask, api: Api, instance: Instance, operations: Mapping[str | None, Version]
) -> None:
    """Count calls of operations, and tell the dates of versions that have some."""
    consumers = Consumers()

    @app.after_request
    def finish(response: Response) -> Response:
        called = operations.get(request.endpoint)
        if called is not None:
            instance.metrics.calls.count(called.name, consumers.label())
        version = called or _asked(api)
        if version is not None and version.deprecated is not None:
            response.headers.extend(version.dates())
            response.headers.add("Link", _links(api, version).header())
        return response


def _asked(api: Api) -> Version | None:
    """Return the version whose path the request's is below, whether there is such a route or not."""
    if not request.path.startswith(f"{API_PREFIX}/"):
        return None
    return api.named(request.path.split("/", 3)[2])


def _links(api: Api, version: Version) -> Links:
    return Links.to(api.current, below=request.path.removeprefix(_prefix(version)))


def _prefix(version: Version) -> str:
    return f"{API_PREFIX}/{version.name}"


def _endpoint(version: Version, name: str) -> str:
    # A dot would name a blueprint.
    return f"{version.name}/{name}"
