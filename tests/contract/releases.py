"""The contracts of releases: a consumer that is live expects what it expected when it was released."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

from contract.consumer import SERVICES


def released(provider: str, into: Path, *, services: Path = SERVICES) -> list[Path]:
    """Write what each consumer's newest release expects of the provider into a folder; return the files.

    A release of before there were contracts has none. Raises LookupError where the history is too short to tell.
    """
    found = []
    for consumer, version, commit in _newest(services):
        kept = f"services/{consumer}/contracts/{consumer}-{provider}.json"
        if text := _file(kept, commit, services.parent):
            path = into / f"{consumer}-{version}-{provider}.json"
            path.write_text(text, encoding="utf-8")
            found.append(path)
    return found


def _newest(services: Path) -> Iterator[tuple[str, str, str]]:
    for path in sorted(services.glob("*/releases.toml")):
        releases = tomllib.loads(path.read_text(encoding="utf-8")).get("release", [])
        if releases:
            yield path.parent.name, releases[-1]["version"], releases[-1]["commit"]


def _file(path: str, commit: str, repository: Path) -> str:
    """Return a file as it was in that commit, empty if there was none."""
    if _git(repository, "cat-file", "-e", commit).returncode != 0:
        raise LookupError(f"the history lacks {commit}; git fetch --unshallow gets all of it")
    return _git(repository, "show", f"{commit}:{path}").stdout


def _git(repository: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = ("git", "-C", str(repository), *arguments)
    return subprocess.run(command, check=False, capture_output=True, text=True)
