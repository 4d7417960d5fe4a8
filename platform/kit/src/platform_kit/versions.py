"""Versions as people write them (SemVer), from versions as Python distributions carry them (PEP 440)."""

from __future__ import annotations

import re
from importlib import metadata

SEMVER = r"^\d+\.\d+\.\d+(-[0-9A-Za-z-]+(\.[0-9A-Za-z-]+)*)?$"

_PEP440 = re.compile(r"^(?P<release>\d+\.\d+\.\d+)(?:\.?(?P<kind>a|b|rc|dev)(?P<number>\d+))?$")
_WORDS = {"a": "alpha", "b": "beta", "rc": "rc", "dev": "dev"}


def semver(version: str) -> str:
    """Return the SemVer of a PEP 440 version: `1.2.0.dev3` is `1.2.0-dev.3`; others are unchanged."""
    match = _PEP440.match(version)
    if match is None or match["kind"] is None:
        return version
    return f"{match['release']}-{_WORDS[match['kind']]}.{match['number']}"


def installed_version(distribution: str) -> str:
    """Return the SemVer of an installed distribution, `0.0.0` when there is none of that name."""
    try:
        return semver(metadata.version(distribution))
    except metadata.PackageNotFoundError:
        return "0.0.0"


def precedence(version: str) -> tuple[tuple[int, ...], bool, tuple[tuple[bool, int, str], ...]]:
    """Return a key that sorts SemVer versions by their precedence (semver.org, 11)."""
    release, _, pre = version.partition("+")[0].partition("-")
    numbers = tuple(int(number) for number in release.split("."))
    words = pre.split(".") if pre else []
    parts = tuple((not w.isdigit(), int(w) if w.isdigit() else 0, w) for w in words)
    return numbers, not pre, parts
