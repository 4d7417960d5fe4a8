"""What every Kubernetes object has: metadata with labels and annotations."""

from __future__ import annotations

from typing import Any

Object = dict[str, Any]  # an object as the API server speaks it: JSON


def metadata(thing: Object) -> Object:
    """Return the metadata of an object."""
    found: Object = thing.get("metadata") or {}
    return found


def annotation(thing: Object | None, name: str) -> str | None:
    """Return an annotation of an object, or None when it, or the object, is not there."""
    if thing is None:
        return None
    value = (metadata(thing).get("annotations") or {}).get(name)
    return None if value is None else str(value)
