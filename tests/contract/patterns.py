"""Holds the pattern that a document has for a text against what the service takes."""

from __future__ import annotations

import re
from collections.abc import Iterable

from pydantic import TypeAdapter, ValidationError


def differing(kind: object, texts: Iterable[str]) -> list[str]:
    """Return the texts of which the documented pattern of a type says something else than the type itself."""
    adapter = TypeAdapter(kind)
    pattern = re.compile(adapter.json_schema()["pattern"])
    return [text for text in texts if bool(pattern.fullmatch(text)) != _passes(adapter, text)]


def _passes(adapter: TypeAdapter[object], text: str) -> bool:
    try:
        adapter.validate_python(text)
    except ValidationError:
        return False
    return True
