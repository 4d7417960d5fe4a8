"""Where to go from a deprecated version, as relative references: a router may have taken a part of the path away.

`../v2/profile` seen from `/api/v1/profile` is right behind `/user` too (RFC 3986, section 5.2).
"""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from platform_kit.api.version import Version

# Where the documentation of a version says what a client of the one before has to do.
CHANGES = "docs#changes"


@dataclass(frozen=True, slots=True)
class Links:
    """The same resource in the successor, and what to read about the way there."""

    resource: str
    documentation: str

    @classmethod
    def to(cls, successor: Version, *, below: str) -> Links:
        """Return the links from a path, given by what it has `below` its version: `/profile`."""
        root = "../" * below.count("/") + successor.name
        return cls(resource=f"{root}{quote(below)}", documentation=f"{root}/{CHANGES}")

    def header(self) -> str:
        """Return the value of `Link` (RFC 8288); the relations are of RFC 9745, RFC 8594 and RFC 5829."""
        text = '; type="text/html"'
        return ", ".join(
            (
                f'<{self.documentation}>; rel="deprecation"{text}',
                f'<{self.documentation}>; rel="sunset"{text}',
                f'<{self.resource}>; rel="successor-version"',
            )
        )
