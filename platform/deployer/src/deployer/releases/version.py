"""Versions: SemVer for people, tags and images; PEP 440 for wheels.

Build metadata (`+...`) is refused, because an image tag may not hold a plus sign. A prerelease has
the one form that both standards can say: `1.4.1-dev.3` is `1.4.1.dev3`, `-rc.1` is `rc1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

from deployer.errors import InputError

_SEMVER = re.compile(
    r"(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(?:-(dev|alpha|beta|rc)\.(0|[1-9]\d*))?"
)
# Order of the prereleases, and what PEP 440 calls them.
_STAGES = {"dev": ".dev", "alpha": "a", "beta": "b", "rc": "rc"}


@total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A SemVer version; `stage` is dev, alpha, beta or rc, or empty for a release."""

    major: int
    minor: int
    patch: int
    stage: str = ""
    number: int = 0

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read a version; raise InputError `version-not-semver` with an example when it is none."""
        found = _SEMVER.fullmatch(text)
        if found is None:
            raise InputError(
                "version-not-semver",
                f"{text!r} is not a version",
                hint="write MAJOR.MINOR.PATCH, as in 1.4.0, or a prerelease such as 1.4.1-rc.1",
            )
        major, minor, patch, stage, number = found.groups()
        return cls(int(major), int(minor), int(patch), stage or "", int(number or 0))

    def __str__(self) -> str:
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}-{self.stage}.{self.number}" if self.stage else core

    def __lt__(self, other: Version) -> bool:
        return self._rank < other._rank

    @property
    def _rank(self) -> tuple[int, int, int, int, int]:
        stages = (*_STAGES, "")
        return (self.major, self.minor, self.patch, stages.index(self.stage), self.number)

    @property
    def python(self) -> str:
        """The same version as a wheel has it (PEP 440)."""
        core = f"{self.major}.{self.minor}.{self.patch}"
        return f"{core}{_STAGES[self.stage]}{self.number}" if self.stage else core

    def next_development(self, number: int) -> Version:
        """Return the development version that a changed tree of this one builds."""
        return Version(self.major, self.minor, self.patch + 1, "dev", number)
