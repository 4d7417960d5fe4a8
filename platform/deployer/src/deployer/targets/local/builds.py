"""Builds on this machine: a release is a wheel in a virtual environment of its own.

A build is keyed by service, version and content, made once, and complete when its `release.json`
is there. The digest covers the wheels and the pinned versions of everything beside them.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import uv

from deployer import runner
from deployer.errors import OperationError
from deployer.model import Release, ServiceName
from deployer.releases import Version
from deployer.workspace import Source

# What uv says when it wanted the network, whatever the reason it couldn't have it.
NO_NETWORK = re.compile(r"dns error|client error|connect|network|offline|timed out", re.IGNORECASE)


class Builds:
    """The releases that were built in a folder."""

    standalone = True

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def build(self, source: Source) -> Release:
        """Return the release of a source, building it if it was not built before.

        Raises OperationError: `build-failed` when the wheel does not build, `install-failed` when
        its dependencies don't install, `no-network` when they can't be fetched.
        """
        home = self._folder / f"{source.service}-{source.version}-{source.content[:16]}"
        with self._locked(home):
            if not (home / "release.json").exists():
                shutil.rmtree(home, ignore_errors=True)
                self._build(source, home)
            digest = json.loads((home / "release.json").read_text())["digest"]
            self._link(digest, home)
        return Release(source.service, str(source.version), digest, commit=source.commit)

    def python(self, release: Release) -> Path:
        """Return the interpreter that runs a release."""
        return self._folder / "by-digest" / release.digest / "venv" / "bin" / "python"

    def wheels(self, release: Release) -> tuple[Path, ...]:
        """Return the wheels that a release was installed from: the kit's and the service's."""
        home = self._folder / "by-digest" / release.digest
        return tuple(sorted((home / "wheels").glob("*.whl")))

    def development_number(self, service: ServiceName, base: Version, content: str) -> int:
        """Return the number of a development version: the same for the same content, else the next."""
        stem = f"{service}-{base.major}.{base.minor}.{base.patch}-dev."
        built = {
            int(number): digest
            for number, digest in (
                home.name.removeprefix(stem).split("-", 1)
                for home in self._folder.glob(f"{stem}*-*")
            )
        }
        same = [number for number, digest in built.items() if digest == content[:16]]
        return same[0] if same else max(built, default=0) + 1

    def _build(self, source: Source, home: Path) -> None:
        _set_version(source)
        wheels = home / "wheels"
        for distribution in (
            source.tree / "platform/kit",
            source.tree / "services" / source.service,
        ):
            _build_wheel(distribution, wheels)
        constraints = source.tree / "constraints.txt"
        _install(home / "venv", sorted(wheels.glob("*.whl")), constraints)
        digest = hashlib.sha256(_frozen(home / "venv").encode())
        for wheel in sorted(wheels.glob("*.whl")):
            digest.update(hashlib.sha256(wheel.read_bytes()).digest())
        facts = {"digest": digest.hexdigest(), "commit": source.commit}
        (home / "release.json").write_text(json.dumps(facts))

    def _link(self, digest: str, home: Path) -> None:
        link = self._folder / "by-digest" / digest
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.unlink(missing_ok=True)
            link.symlink_to(home, target_is_directory=True)

    @contextmanager
    def _locked(self, home: Path) -> Iterator[None]:
        with home.with_name(f".{home.name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


def _set_version(source: Source) -> None:
    # The version is the release's, not the tree's: a changed tree builds a development version.
    path = source.tree / "services" / source.service / "pyproject.toml"
    line = f'version = "{source.version.python}"'
    path.write_text(
        re.sub(r'^version = "[^"]*"', line, path.read_text(), count=1, flags=re.MULTILINE)
    )


def _build_wheel(distribution: Path, wheels: Path) -> None:
    # No isolation: the build backend is the one installed beside us, so a build needs no network.
    # Not quiet: with that, uv keeps to itself what the backend said.
    offline = ("--no-build-isolation", "--offline", "--python", sys.executable)
    done = runner.run(
        (uv.find_uv_bin(), "build", "--wheel", *offline, "--out-dir", wheels, distribution)
    )
    if done.code != 0:
        raise OperationError(
            "build-failed",
            f"the wheel of {distribution.name} does not build",
            hint="mend what the build says above; it reads the service's pyproject.toml",
            details=done.tail,
        )


def _install(venv: Path, wheels: list[Path], constraints: Path) -> None:
    program = uv.find_uv_bin()
    made = runner.run((program, "venv", "--quiet", "--python", sys.executable, venv))
    arguments: tuple[str | Path, ...] = (
        program,
        "pip",
        "install",
        "--quiet",
        "--python",
        venv / "bin" / "python",
    )
    wanted: tuple[str | Path, ...] = ("--constraint", constraints, *wheels)
    if made.code == 0:
        # Offline first: what was installed once needs no network, and no round trips either.
        made = runner.run((*arguments, "--offline", *wanted))
        if made.code != 0:
            made = runner.run((*arguments, *wanted))
    if made.code == 0:
        return
    if NO_NETWORK.search(made.stderr):
        raise OperationError(
            "no-network",
            f"the dependencies of {wheels[-1].name} can't be fetched",
            hint="connect to the package registry once; later builds use uv's cache",
            details=made.tail,
        )
    raise OperationError(
        "install-failed",
        f"{wheels[-1].name} does not install with the pinned dependencies",
        hint="make constraints.txt and the service's dependencies agree: tox -e lock",
        details=made.tail,
    )


def _frozen(venv: Path) -> str:
    """Return what is installed beside the wheels, pinned, a line a package."""
    program = (uv.find_uv_bin(), "pip", "freeze", "--quiet", "--python", venv / "bin" / "python")
    lines = runner.run(program).stdout.splitlines()
    return "\n".join(line for line in lines if "@ file:" not in line)


@contextmanager
def scratch_tree() -> Iterator[Path]:
    """Give a folder to stage a source in; it is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="deployer-build-") as folder:
        yield Path(folder)
