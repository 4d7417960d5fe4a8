"""A version's document as a page to read: one file, no script, nothing from anywhere else."""

from __future__ import annotations

from functools import cache
from typing import Any

from jinja2 import Environment, PackageLoader, Template

# The page has no script and asks nobody: whatever a document says, nothing in it can run.
PAGE_HEADERS = {"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}


def page(document: dict[str, Any]) -> str:
    """Return the document as HTML."""
    return _template().render(document=document, type_of=type_of, shapes_of=shapes_of)


def shapes_of(schema: dict[str, Any]) -> list[str]:
    """Return the names of the shapes that a body may have."""
    return [type_of(each) for each in schema.get("anyOf", [schema])]


def type_of(schema: dict[str, Any]) -> str:
    """Return what a schema allows, in a few words: `string, at most 100 characters`."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "allOf" in schema:
        return type_of(schema["allOf"][0])  # the shape; the others narrow it
    if "anyOf" in schema:
        return " or ".join(type_of(each) for each in schema["anyOf"])
    if schema.get("type") == "array":
        return f"list of {type_of(schema.get('items', {}))}"
    words = [schema.get("format") or schema.get("type", "anything")]
    if "description" in schema:
        return f"{words[0]}, {schema['description']}"
    words += [text.format(schema[key]) for key, text in _LIMITS.items() if key in schema]
    return ", ".join(words)


_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "to {}",
    "pattern": "matching {}",
}


@cache
def _template() -> Template:
    loader = PackageLoader("platform_kit.api", "templates")
    return Environment(
        loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True
    ).get_template("page.html")
