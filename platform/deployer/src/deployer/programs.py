"""The programs that are called for a cluster: how new they have to be, and what to do without.

Asked before anything is changed: a Helm that is too old fails in the middle otherwise. Codes are
made of the program's name: `helm-missing`, `helm-too-old`, and so for Docker and Skaffold.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from deployer import runner
from deployer.errors import OperationError

VERSION = re.compile(r"v?(\d+)\.(\d+)(?:\.(\d+))?")
ANSWER_SECONDS = 30.0  # a Docker engine that just starts takes its time


@dataclass(frozen=True, slots=True)
class ProgramVersion:
    """A program's version; what comes after the three numbers does not matter to us."""

    major: int
    minor: int
    patch: int = 0

    @classmethod
    def read(cls, text: str) -> ProgramVersion | None:
        """Return the version that a text begins with, such as `v1.34.4+k3s1`, or None."""
        found = VERSION.match(text.strip())
        return cls(*(int(number or 0) for number in found.groups())) if found else None

    def __str__(self) -> str:
        return f"{self.major}.{self.minor}.{self.patch}"

    @property
    def order(self) -> tuple[int, int, int]:
        """By what versions are compared."""
        return (self.major, self.minor, self.patch)


@dataclass(frozen=True, slots=True)
class Program:
    """A program on the PATH, how it tells its version, and the oldest that does."""

    name: str
    asking: tuple[str, ...]
    oldest: ProgramVersion
    why: str
    get: str
    mend: str


HELM = Program(
    "helm",
    ("version", "--template", "{{.Version}}"),
    ProgramVersion(3, 14),
    why="slots are Helm releases",
    get="install Helm: https://helm.sh/docs/intro/install",
    mend="run it yourself and read what it says: helm version",
)
# The engine's version, not the client's: without an engine nothing is built.
DOCKER = Program(
    "docker",
    ("version", "--format", "{{.Server.Version}}"),
    ProgramVersion(20, 10),
    why="images are built by it",
    get="install Docker: https://docs.docker.com/engine/install",
    mend="start the Docker engine, or set DOCKER_HOST to where it is",
)
SKAFFOLD = Program(
    "skaffold",
    ("version",),
    ProgramVersion(2, 13),
    why="skaffold.yaml is of schema v4beta13",
    get="install Skaffold, or do without: https://skaffold.dev/docs/install",
    mend="run it yourself and read what it says: skaffold version",
)
PROGRAMS = (HELM, DOCKER, SKAFFOLD)


def version_of(program: Program) -> ProgramVersion:
    """Return the version of a program on the PATH.

    Raises OperationError `<name>-missing`, or `program-broken` when it tells no version.
    """
    done = runner.run(
        (program.name, *program.asking),
        environment={"SKAFFOLD_UPDATE_CHECK": "false", "SKAFFOLD_INTERACTIVE": "false"},
        timeout_seconds=ANSWER_SECONDS,
    )
    if done.code == runner.MISSING:
        raise OperationError(
            f"{program.name}-missing",
            f"{program.name} is not on the PATH: {program.why}",
            hint=program.get,
        )
    version = ProgramVersion.read(done.stdout)
    if done.code != 0 or version is None:
        raise OperationError(
            "program-broken",
            f"{program.name} does not tell its version (exit code {done.code})",
            hint=program.mend,
            details=done.tail,
        )
    return version


def require(program: Program) -> ProgramVersion:
    """Return the version of a program that will do.

    Raises what `version_of` does, and OperationError `<name>-too-old`.
    """
    version = version_of(program)
    if version.order < program.oldest.order:
        raise OperationError(
            f"{program.name}-too-old",
            f"{program.name} is {version}, and {program.oldest} is the oldest that does:"
            f" {program.why}",
            hint=program.get,
        )
    return version


def require_helm() -> ProgramVersion:
    """Return Helm's version; raise OperationError when there is none, or one that is too old."""
    return require(HELM)
