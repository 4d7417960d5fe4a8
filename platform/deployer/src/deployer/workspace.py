"""The checkout: which services there are, what they declare, and their code at a commit.

No file lists the services: they are the folders under `services/` that have a `pyproject.toml`.
"""

from __future__ import annotations

import difflib
import hashlib
import shutil
import tarfile
import tempfile
import tomllib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pydantic import ValidationError

from deployer import runner
from deployer.environment import HookPolicy, RolloutPolicy
from deployer.errors import InputError, OperationError
from deployer.model import ServiceName
from deployer.releases import Recorded, Version, parse_record

# What a release is built from, and so what makes two trees differ: no tests, no records, no prose.
SOURCES = (
    "services/{0}/pyproject.toml",
    "services/{0}/Dockerfile",
    "services/{0}/flags.json",
    "services/{0}/src",
    "charts/{0}",
    "charts/platform",
    "migrations/{0}",
    "platform/kit/pyproject.toml",
    "platform/kit/src",
    "constraints.txt",
)


@dataclass(frozen=True, slots=True)
class Declaration:
    """`[tool.deployer]` of a service, and the version it is at.

    `rollout` is the service's own policy: only the keys that it sets count. `business` names the
    pairs of attempts and successes that it exports and is judged by.
    """

    service: ServiceName
    version: Version
    internal: tuple[str, ...]
    needs: tuple[ServiceName, ...]
    rollout: RolloutPolicy
    hooks: tuple[HookPolicy, ...]
    business: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """A tree to build a release from. `tree` holds the paths of `SOURCES`.

    `content` is the SHA-256 of every file's path and bytes; `commit` is None for a working tree.
    """

    service: ServiceName
    version: Version
    tree: Path
    content: str
    commit: str | None


class Workspace:
    """A checkout of the monorepo, from its root folder."""

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()

    @classmethod
    def around(cls, folder: Path) -> Workspace:
        """Find the checkout that a folder is in; raise InputError `not-a-workspace` if there is none."""
        for candidate in (folder.resolve(), *folder.resolve().parents):
            if (candidate / "services").is_dir() and (candidate / "environments").is_dir():
                return cls(candidate)
        raise InputError(
            "not-a-workspace",
            f"{folder} is in no checkout with services/ and environments/",
            hint="cd into the checkout and call again",
        )

    @property
    def environments(self) -> Path:
        """The folder with a TOML file an environment."""
        return self.root / "environments"

    @cached_property
    def services(self) -> tuple[ServiceName, ...]:
        """Every service, by name."""
        found = (self.root / "services").glob("*/pyproject.toml")
        return tuple(sorted(ServiceName(path.parent.name) for path in found))

    def service(self, name: str) -> ServiceName:
        """Return the name as a service; raise InputError `unknown-service` with those there are."""
        if name in self.services:
            return ServiceName(name)
        near = difflib.get_close_matches(name, self.services, n=1)
        raise InputError(
            "unknown-service",
            f"there is no service {name!r}: services/ has {', '.join(self.services)}",
            hint=f"did you mean {near[0]}?" if near else "use one of those names",
        )

    def folder(self, service: ServiceName) -> Path:
        """The service's own folder."""
        return self.root / "services" / service

    def declaration(self, service: ServiceName) -> Declaration:
        """Read what the service says of itself in its `pyproject.toml`."""
        path = self.folder(service) / "pyproject.toml"
        try:
            data = tomllib.loads(path.read_text())
            settings = data.get("tool", {}).get("deployer", {})
            return Declaration(
                service,
                Version.parse(data["project"]["version"]),
                tuple(settings.get("internal", ())),
                tuple(self.service(need) for need in settings.get("needs", ())),
                RolloutPolicy.model_validate(settings.get("rollout", {})),
                tuple(HookPolicy.model_validate(each) for each in settings.get("hooks", ())),
                tuple(settings.get("business", ())),
            )
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            raise InputError(
                "service-broken",
                f"services/{service}/pyproject.toml: [tool.deployer] {key}: {first['msg']}",
                hint="mend that key; the keys are those of [rollout] in environments/*.toml",
            ) from error
        except (tomllib.TOMLDecodeError, KeyError, TypeError) as error:
            raise InputError(
                "service-broken",
                f"services/{service}/pyproject.toml: {type(error).__name__}: {error}",
                hint="mend the file: [project] needs a version",
            ) from error

    def released(self, service: ServiceName) -> tuple[Recorded, ...]:
        """Read what was released of the service, oldest first."""
        path = self.folder(service) / "releases.toml"
        if not path.is_file():
            return ()
        return parse_record(path.read_text(), name=f"services/{service}/releases.toml")

    def has_commit(self, commit: str) -> bool:
        """Whether this checkout has the commit's content (a copy or a shallow clone may not)."""
        return self._git("cat-file", "-e", f"{commit}^{{tree}}").code == 0

    @property
    def shallow(self) -> bool:
        """Whether this checkout was made with a part of the history only."""
        return self._git("rev-parse", "--is-shallow-repository").stdout.strip() == "true"

    def changed(self, service: ServiceName) -> bool:
        """Whether a file that the service is built from differs from the last commit."""
        status = self._git("status", "--porcelain", "--", *self._paths(service))
        return bool(status.stdout.strip())

    def head(self) -> str | None:
        """The commit that the checkout is at, or None without history."""
        found = self._git("rev-parse", "HEAD")
        return found.stdout.strip() if found.code == 0 else None

    def log_between(
        self, service: ServiceName, old: str | None, new: str | None
    ) -> tuple[str, ...]:
        """Return a line a commit between two that changed what the service is built from.

        Says so where one of them was no commit, or is not in this copy.
        """
        if old is None or new is None:
            return ("One of both was built from a tree that was not committed.",)
        if not (self.has_commit(old) and self.has_commit(new)):
            return ("One of both commits is not in this copy.",)
        listed = self._git("log", "--format=- %h %s", f"{old}..{new}", "--", *self._paths(service))
        return tuple(listed.stdout.splitlines()) or ("The same.",)

    def stage(self, service: ServiceName, version: Version, *, into: Path) -> Source:
        """Copy the working tree of a service into a folder to build from."""
        for path in self._tracked(service):
            target = into / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(self.root / path, target)
        commit = None if self.changed(service) else self.head()
        return Source(service, version, into, content_of(into), commit)

    def stage_commit(self, service: ServiceName, recorded: Recorded, *, into: Path) -> Source:
        """Take the service's code as it was at a commit (`git archive`) to build from.

        Raises OperationError `history-missing` when this checkout does not have the commit.
        """
        if not self.has_commit(recorded.commit):
            raise _history_missing(f"commit {recorded.commit[:12]} of {service}@{recorded.version}")
        listed = self._git("ls-tree", "--name-only", recorded.commit, *self._paths(service))
        self._archive(recorded.commit, tuple(listed.stdout.split()), into)
        return Source(service, recorded.version, into, content_of(into), recorded.commit)

    def stage_everything(self, commit: str, *, into: Path) -> None:
        """Take the whole checkout as it was at a commit: with the tests, and what they need.

        Raises OperationError `history-missing` when this checkout does not have the commit.
        """
        if not self.has_commit(commit):
            raise _history_missing(f"commit {commit[:12]}")
        self._archive(commit, (), into)

    def stage_migrations(self, service: ServiceName, commit: str, *, into: Path) -> None:
        """Take a service's migrations as they were at a commit; nothing where it had none.

        Raises OperationError `history-missing` when this checkout does not have the commit.
        """
        if not self.has_commit(commit):
            raise _history_missing(f"commit {commit[:12]} of {service}")
        path = f"migrations/{service}"
        if self._git("ls-tree", "--name-only", commit, path).stdout.strip():
            self._archive(commit, (path,), into)

    def _archive(self, commit: str, paths: tuple[str, ...], into: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            archive = Path(scratch) / "tree.tar"
            self._git("archive", "--output", str(archive), commit, *paths)
            with tarfile.open(archive) as tar:
                tar.extractall(into, filter="data")

    def _tracked(self, service: ServiceName) -> tuple[Path, ...]:
        paths = self._paths(service)
        listed = self._git("ls-files", "-co", "--exclude-standard", "-z", "--", *paths)
        if listed.code == 0:
            names = [Path(name) for name in listed.stdout.split("\0") if name]
            return tuple(name for name in names if (self.root / name).is_file())
        return tuple(
            file.relative_to(self.root)
            for path in paths
            for file in _files(self.root / path)
            if "__pycache__" not in file.parts
        )

    @staticmethod
    def _paths(service: ServiceName) -> tuple[str, ...]:
        return tuple(source.format(service) for source in SOURCES)

    def _git(self, *arguments: str) -> runner.Completed:
        return runner.run(("git", *arguments), cwd=self.root, timeout_seconds=60)


def _history_missing(what: str) -> OperationError:
    return OperationError(
        "history-missing",
        f"{what} is not in this copy",
        hint="fetch the whole history: git fetch --unshallow",
    )


def content_of(tree: Path) -> str:
    """Return the SHA-256 over the relative path and the bytes of every file of a tree."""
    digest = hashlib.sha256()
    for file in _files(tree):
        data = file.read_bytes()
        digest.update(f"{file.relative_to(tree)}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(file for file in path.rglob("*") if file.is_file())
