"""Runs the tests of a release, of now or of the past, in a virtual environment of their own.

What is tested is the release as it was built, from its wheels; the tests and what they need
(`[dependency-groups] dev`) come from the same commit.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import sys
import time
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import uv

from deployer import runner
from deployer.errors import OperationError
from deployer.migrations import stand_in
from deployer.model import Release
from deployer.targets.local.builds import Builds

LIMIT_SECONDS = 300.0
LEFT_OUT = ("contract", "e2e", "campaign")
# Of the newer release, which has more tests and would be waited for; each has a database of its own to start.
WORKERS = "2"
# Plugins of what is left out: each takes its while to be imported.
PLUGINS_LEFT_OUT = ("-p", "no:schemathesis", "-p", "no:pact")


@dataclass(frozen=True, slots=True)
class Tested:
    """A run of a suite: which release's, on which schema, and how it ended."""

    release: str
    schema: str
    passed: bool
    summary: str
    seconds: float
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Suite:
    """A release's tests: `tree` is the checkout they are in, `python` what runs them."""

    release: Release
    tree: Path
    python: Path

    def run(
        self,
        schema: str,
        scratch: Path,
        *,
        newer: Path | None = None,
        interrupted: Callable[[], bool] = lambda: False,
    ) -> Tested:
        """Run the tests; with `newer`, on the schema that another release's runner makes.

        Once `interrupted` says yes they are ended, with all that they have started.

        Those with the marker `integration`, which have a database, but not those of the documents, of the whole stack
        and of the figures: they take long, and ask nothing of the schema.
        The tests of the history itself, `test_migrations.py`, belong to their own schema: on
        another one they are left out.
        """
        service = self.release.service
        folder = f"services/{service}/tests"
        note = scratch / f"{self.release.name}.runs"
        words = ["-m", "pytest", "-q", "-p", "no:cacheprovider", *PLUGINS_LEFT_OUT]
        words += ["-m", _chosen(self.tree), folder]
        words += [f"--ignore={folder}/{name}" for name in _left_out(self.tree / folder)]
        environment: Mapping[str, str] = {}
        if newer is not None:
            words.append(f"--ignore={folder}/test_migrations.py")
            environment = {stand_in.NEWER: str(newer), stand_in.NOTE: str(note)}
        else:
            words += ["-n", WORKERS]
        began = time.monotonic()
        done = runner.run_unless(
            interrupted,
            (self.python, *words),
            cwd=self.tree,
            environment={"CI": "", **environment},
            timeout_seconds=LIMIT_SECONDS,
        )
        seconds = round(time.monotonic() - began, 1)
        lines = done.tail
        if newer is not None and not note.exists():
            missed = f"the tests of {self.release.name} never ran the migrations of {schema}"
            return Tested(self.release.name, schema, False, missed, seconds, lines)  # noqa: FBT003  # a field
        summary = lines[-1] if lines else f"ended with {done.code}, without a word"
        return Tested(self.release.name, schema, done.code == 0, summary, seconds, lines)


def suite(builds: Builds, release: Release, tree: Path, folder: Path) -> Suite:
    """Return a release's suite; its virtual environment is made once a release and lock file.

    Raises OperationError `suite-not-installed`.
    """
    lock = hashlib.sha256((tree / "constraints.txt").read_bytes())
    lock.update((tree / "pyproject.toml").read_bytes())
    home = folder / f"{release.service}-{release.digest[:16]}-{lock.hexdigest()[:8]}"
    python = home / "bin" / "python"
    if not (home / "complete").exists():
        shutil.rmtree(home, ignore_errors=True)
        _install(python, home, tree, builds.wheels(release))
        _let_stand_in(home)
        (home / "complete").touch()
    return Suite(release, tree, python)


def _chosen(tree: Path) -> str:
    """Return the expression that leaves tests out, of the markers that a commit knows: pytest refuses any other."""
    settings = tomllib.loads((tree / "pyproject.toml").read_text())
    declared = settings["tool"]["pytest"]["ini_options"]["markers"]
    known = {each.partition(":")[0] for each in declared}
    return " and ".join(["integration", *(f"not {each}" for each in LEFT_OUT if each in known)])


def _left_out(folder: Path) -> tuple[str, ...]:
    """Return the files of nothing but tests that are left out, which need not even be imported."""
    marked = re.compile(rf"^pytestmark = .*\bmark\.({'|'.join(LEFT_OUT)})\b", re.MULTILINE)
    files = sorted(folder.glob("test_*.py"))
    return tuple(file.name for file in files if marked.search(file.read_text()))


def _install(python: Path, home: Path, tree: Path, wheels: tuple[Path, ...]) -> None:
    program = uv.find_uv_bin()
    made = runner.run((program, "venv", "--quiet", "--python", sys.executable, home))
    words: tuple[str | Path, ...] = (program, "pip", "install", "--quiet", "--python", python)
    wanted: tuple[str | Path, ...] = (
        *("--constraint", tree / "constraints.txt", "--group", f"{tree / 'pyproject.toml'}:dev"),
        *wheels,
    )
    if made.code == 0:
        made = runner.run((*words, "--offline", *wanted), cwd=tree)
        if made.code != 0:
            made = runner.run((*words, *wanted), cwd=tree)
    if made.code != 0:
        raise OperationError(
            "suite-not-installed",
            f"what the tests of {wheels[-1].name} need does not install",
            hint="see that [dependency-groups] dev and constraints.txt of that commit agree",
            details=made.tail,
        )


def _let_stand_in(home: Path) -> None:
    packages = next(home.glob("lib/python*/site-packages"))
    shutil.copyfile(stand_in.__file__, packages / "migrations_stand_in.py")
    (packages / "migrations_stand_in.pth").write_text("import migrations_stand_in\n")
