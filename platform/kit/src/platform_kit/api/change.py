"""What a version changed, as small modules that translate: handlers know the newest shape only.

A request of an older version is checked against the older shape, then taken up step by step to the newest; the answer
comes down the same steps. So each change is written once, next to its neighbour, and never touched again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel

from platform_kit.api.version import Version

Body = dict[str, Any]
Step = Callable[[Body], Body]


def unchanged(body: Body) -> Body:
    """Return the body as it is."""
    return body


@dataclass(frozen=True, slots=True)
class Translation:
    """What one operation's bodies and query were before a change, and how they are told in the other shape.

    `request` gets the older body, with the fields that were sent, and returns the newer one; `asked` does the same
    with a `query` of another shape, which needs none where that only had fewer parameters. `response` gets the newer
    answer and returns the older one. A shape that is not named is as it was.
    """

    query: type[BaseModel] | None = None
    asked: Step = unchanged
    body: type[BaseModel] | None = None
    request: Step = unchanged
    answer: type[BaseModel] | None = None
    response: Step = unchanged


@dataclass(frozen=True, slots=True)
class Change:
    """All that came with a version. `says` tells a client's developer what to do; it is in the documentation."""

    version: str
    says: str
    operations: Mapping[str, Translation]

    @property
    def number(self) -> int:
        """The number of the version."""
        return Version(self.version).number


def ordered(versions: Sequence[Version], changes: Sequence[Change]) -> tuple[Change, ...]:
    """Return the changes, oldest first: one for each version but the oldest; raise `ValueError` otherwise."""
    wanted = [each.name for each in sorted(versions, key=lambda version: version.number)][1:]
    found = sorted(changes, key=lambda change: change.number)
    brought = [change.version for change in found]
    if brought != wanted:
        raise ValueError(f"there has to be one change for each of {wanted}, got {brought}")
    return tuple(found)


def steps_from(
    changes: Sequence[Change], version: Version, operation: str
) -> tuple[Translation, ...]:
    """Return what lies between a version and the newest one for an operation, oldest first."""
    return tuple(
        change.operations[operation]
        for change in changes
        if change.number > version.number and operation in change.operations
    )
