"""The words of the domain as values: what a service, a release and a slot are.

Everything above imports this; this imports nothing of ours. Times are seconds since the epoch
(`at`) or lengths in seconds (`*_seconds`), as floats, so that a virtual clock needs no other type.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

ServiceName = NewType("ServiceName", str)
RolloutId = NewType("RolloutId", int)
Fence = NewType("Fence", int)


class Slot(StrEnum):
    """One of the two places a service has in an environment."""

    BLUE = "blue"
    GREEN = "green"

    @property
    def other(self) -> Slot:
        """The slot beside this one."""
        return Slot.GREEN if self is Slot.BLUE else Slot.BLUE


@dataclass(frozen=True, slots=True)
class Release:
    """An immutable build of one service.

    `digest` is the SHA-256 of what runs (wheels and their pinned dependencies), `configuration` the
    environment variables frozen with it, sorted by name. Two releases are the same when all four
    agree; the same version with another digest or configuration is a conflict.
    """

    service: ServiceName
    version: str
    digest: str
    configuration: tuple[tuple[str, str], ...] = ()
    commit: str | None = None

    @property
    def name(self) -> str:
        """The release as people write it: `product@1.4.0`."""
        return f"{self.service}@{self.version}"

    def same_release(self, other: Release) -> bool:
        """Whether both are one version of the same content: either may stand for the other."""
        return self.version == other.version and self.same_content(other)

    def same_content(self, other: Release) -> bool:
        """Whether both run the same bytes under the same configuration."""
        return (self.digest, self.configuration) == (other.digest, other.configuration)
