"""A version of a service's interface: its name in the path, and when it is deprecated and ends.

What clients are told of that is in three headers: `Deprecation` (RFC 9745), `Sunset` (RFC 8594) and `Link` (RFC 8288).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime

# It goes into a path, a label and a header as it is.
_NAME = re.compile(r"v[1-9][0-9]{0,2}")


@dataclass(frozen=True, slots=True)
class Version:
    """A version of the interface; `name` is what the path has, such as `v2`.

    From `deprecated` on clients are told to leave (the date may lie ahead), from `sunset` on nothing is answered
    any more. A `preview` is answered only where it is switched on, and promises nothing.
    """

    name: str
    deprecated: datetime | None = None
    sunset: datetime | None = None
    preview: bool = False

    def __post_init__(self) -> None:
        """Refuse what no client could make sense of."""
        if not _NAME.fullmatch(self.name):
            raise ValueError(f"a version is named v1, v2 and so on, got {self.name!r}")
        for moment in (self.deprecated, self.sunset):
            if moment is not None and (moment.tzinfo is None or moment.microsecond):
                raise ValueError(f"{self.name}: a date is whole seconds with a zone, got {moment}")
        if self.sunset is not None and (self.deprecated is None or self.sunset < self.deprecated):
            # RFC 9745, section 4
            raise ValueError(f"{self.name}: the sunset is not earlier than the deprecation")
        if self.preview and self.deprecated is not None:
            raise ValueError(f"{self.name}: a preview promises nothing that could be deprecated")

    @property
    def number(self) -> int:
        """The number in the name, by which versions follow each other."""
        return int(self.name[1:])

    def has_ended(self, now: datetime) -> bool:
        """Say whether the sunset is over."""
        return self.sunset is not None and now >= self.sunset

    def dates(self) -> dict[str, str]:
        """Return the headers that say when; none for a version that stays."""
        headers = {}
        if self.deprecated is not None:
            headers["Deprecation"] = structured_date(self.deprecated)
        if self.sunset is not None:
            headers["Sunset"] = http_date(self.sunset)
        return headers


def structured_date(moment: datetime) -> str:
    """Return a Date of structured fields (RFC 9651, section 3.3.7): `@1688169599`."""
    return f"@{int(moment.timestamp())}"


def http_date(moment: datetime) -> str:
    """Return an HTTP-date (RFC 9110, section 5.6.7): `Sun, 06 Nov 1994 08:49:37 GMT`."""
    return format_datetime(moment.astimezone(UTC), usegmt=True)
