"""`releases.toml`: what was released of a service, by version and commit, oldest first."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass

from deployer.errors import InputError
from deployer.releases.version import Version


@dataclass(frozen=True, slots=True)
class Recorded:
    """A release that was made: its version and the commit that it was built from."""

    version: Version
    commit: str


def parse_record(text: str, *, name: str) -> tuple[Recorded, ...]:
    """Read the text of a `releases.toml`; `name` is what to call the file in an error.

    Raises InputError `releases-broken` when it is no TOML, lacks a key, or is out of order.
    """
    try:
        rows = tomllib.loads(text).get("release", [])
        releases = tuple(Recorded(Version.parse(row["version"]), row["commit"]) for row in rows)
    except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
        raise _broken(name, f"{type(error).__name__}: {error}") from error
    if list(releases) != sorted(releases, key=lambda release: release.version):
        raise _broken(name, "the versions do not rise")
    return releases


def _broken(name: str, why: str) -> InputError:
    return InputError(
        "releases-broken",
        f"{name}: {why}",
        hint='each entry is [[release]] with version = "1.2.3" and commit = "<sha>", oldest first',
    )
