"""The OpenAPI 3.1 document of one version of an interface, made from the models that check its requests.

Made here, from pydantic's JSON Schema, because no library that was looked at has one handler in several shapes, with a
document for each: APIFlask 3.1 writes OpenAPI 3.0 unless told otherwise and one document an app; flask-openapi3 4.3 writes
3.1, one document an app, and replaces the app's class; SpecTree 3.0 writes 3.1, one document an instance, and takes the
shapes from a decorator of the handler. JSON Schema is the bulk of the work, and that is pydantic's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from platform_kit.api.api import Api
from platform_kit.api.operation import Operation, Shape
from platform_kit.api.refusals import Refusal, refusals, shape_of
from platform_kit.api.version import Version

Document = dict[str, Any]
Mode = Literal["validation", "serialization"]
References = Mapping[tuple[Any, Mode], JsonSchemaValue]

JSON = "application/json"
PROBLEM = "application/problem+json"

# Flask's converters, as JSON Schema. Flask answers 404 to what they do not match.
_CONVERTERS: dict[str, Document] = {
    "int": {"type": "integer", "minimum": 0},
    "string": {"type": "string", "minLength": 1, "pattern": "^[^/]+$"},
    "uuid": {"type": "string", "format": "uuid"},
}
_PARAMETER = re.compile(r"<(?:(?P<converter>\w+):)?(?P<name>\w+)>")
_REFERENCE = "#/components/schemas/{model}"
_BEARER: Document = {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}


class PortableSchema(GenerateJsonSchema):
    """pydantic's JSON Schema, its patterns in the words of ECMA-262, which know no POSIX class."""

    def str_schema(self, schema: core_schema.StringSchema) -> JsonSchemaValue:
        """Return the schema of a string."""
        made = super().str_schema(schema)
        if "pattern" in made:
            made["pattern"] = made["pattern"].replace("[:cntrl:]", r"\x00-\x1f\x7f")
        return made


def document(service: str, api: Api, version: Version) -> Document:
    """Return the document of a version."""
    shapes = api.shapes(version)
    references, schemas = _schemas(shapes, version)
    paths: dict[str, Document] = {}
    for shape in shapes:
        path = _PARAMETER.sub(r"{\g<name>}", shape.operation.path)
        described = _operation(shape, version, references)
        paths.setdefault(path, {})[shape.operation.method.lower()] = described
    components: Document = {"schemas": schemas}
    if any(shape.operation.secured for shape in shapes):
        components["securitySchemes"] = {"bearer": _BEARER}
    if version.dates():
        components["headers"] = _date_headers(version)
    return {
        "openapi": "3.1.0",
        "info": _info(service, api, version),
        # Relative to where the document is: behind a router that is /user/api/v2 (OpenAPI 3.1, Server Object).
        "servers": [{"url": f"../{version.name}"}],
        "paths": paths,
        "components": components,
    }


def _schemas(shapes: tuple[Shape, ...], version: Version) -> tuple[References, Document]:
    """Return where each model's schema is, and all schemas by their names."""
    refused = {
        shape_of(code)
        for shape in shapes
        for codes in refusals(shape.operation, version).values()
        for code in codes
    }
    wanted: list[tuple[type[BaseModel], Mode]] = [
        *((shape.body, "validation") for shape in shapes if shape.body),
        *((shape.answer, "serialization") for shape in shapes if shape.answer),
        *((model, "serialization") for model in sorted(refused, key=lambda model: model.__name__)),
    ]
    references, definitions = models_json_schema(
        list(dict.fromkeys(wanted)), ref_template=_REFERENCE, schema_generator=PortableSchema
    )
    return references, definitions.get("$defs", {})


def _info(service: str, api: Api, version: Version) -> Document:
    known = [change for change in api.changes if change.number <= version.number]
    return {
        "title": service,
        "version": version.name,
        "description": _standing(api, version),
        "x-changes": [{"version": each.version, "says": each.says} for each in known],
    }


def _standing(api: Api, version: Version) -> str:
    if version.preview:
        return "A preview: it may change or go at any time."
    if version.deprecated is None:
        return "It stays."
    until = f", ends on {version.sunset:%Y-%m-%d}" if version.sunset else ""
    return f"Deprecated from {version.deprecated:%Y-%m-%d} on{until}. Go to {api.current.name}."


def _operation(shape: Shape, version: Version, references: References) -> Document:
    operation = shape.operation
    described: Document = {
        "operationId": operation.name,
        "summary": operation.summary,
        "parameters": [
            *_path_parameters(operation),
            *_parameters(shape.query, "query"),
            *_parameters(operation.headers, "header"),
        ],
        "responses": _responses(shape, version, references),
    }
    if shape.body:
        schema = references[shape.body, "validation"]
        described["requestBody"] = {"required": True, "content": {JSON: {"schema": schema}}}
    if operation.secured:
        described["security"] = [{"bearer": []}]
    if version.deprecated:
        described["deprecated"] = True
    if version.sunset:
        described["x-sunset"] = f"{version.sunset:%Y-%m-%d}"  # as oasdiff reads it
    return described


def _path_parameters(operation: Operation) -> Iterator[Document]:
    for found in _PARAMETER.finditer(operation.path):
        schema = _CONVERTERS[found["converter"] or "string"]
        yield {"name": found["name"], "in": "path", "required": True, "schema": schema}


def _parameters(model: type[BaseModel] | None, place: str) -> Iterator[Document]:
    if model is None:
        return
    schema = model.model_json_schema(schema_generator=PortableSchema)
    for name, described in schema["properties"].items():
        required = name in schema.get("required", ())
        parameter = {"name": name, "in": place, "required": required}
        if "description" in described:
            parameter["description"] = described.pop("description")
        yield {**parameter, "schema": _without_null(described)}


def _without_null(schema: Document) -> Document:
    """Return the schema of a value of a query, which cannot say null: it is left out."""
    some = [each for each in schema.get("anyOf", ()) if each != {"type": "null"}]
    if len(some) != 1:
        return schema
    rest = {key: value for key, value in schema.items() if key not in {"anyOf", "default"}}
    return {**rest, **some[0]}


def _responses(shape: Shape, version: Version, references: References) -> Document:
    responses: dict[int, Document] = {}
    for status in shape.operation.statuses:
        responses[status] = {"description": HTTPStatus(status).phrase}
        if shape.answer:
            schema = references[shape.answer, "serialization"]
            responses[status]["content"] = {JSON: {"schema": schema}}
        if said := shape.operation.answer_headers:
            responses[status]["headers"] = {name: _always(value) for name, value in said.items()}
    for status, codes in refusals(shape.operation, version).items():
        responses[status] = {
            "description": f"{HTTPStatus(status).phrase}: {', '.join(codes)}",
            "content": {PROBLEM: {"schema": _refusal(codes, references)}},
        }
    for response in responses.values():
        if version.dates():
            dated = {
                name: {"$ref": f"#/components/headers/{name}"} for name in _date_headers(version)
            }
            response["headers"] = {**response.get("headers", {}), **dated}
    return {str(status): responses[status] for status in sorted(responses)}


def _refusal(codes: Sequence[str], references: References) -> Document:
    """Return the schema of a status's problems: one for each shape that its codes have."""
    by_shape: dict[type[Refusal], list[str]] = {}
    for code in codes:
        by_shape.setdefault(shape_of(code), []).append(code)
    schemas: list[Document] = [
        {"allOf": [references[model, "serialization"], {"properties": {"code": {"enum": some}}}]}
        for model, some in by_shape.items()
    ]
    return schemas[0] if len(schemas) == 1 else {"anyOf": schemas}


def _date_headers(version: Version) -> Document:
    dates = {name: _always(value) for name, value in version.dates().items()}
    return {**dates, "Link": {"required": True, "schema": {"type": "string"}}}


def _always(value: str) -> Document:
    return {"required": True, "schema": {"type": "string", "const": value}}
