"""What a history says of itself, read without running it and without Alembic.

The instance's readiness reads it (what this release knows), and so does whoever decides about releases. A revision
says its place by Alembic's four names, and, on the contract branch, `oldest_release`: the first release that
does not need what the revision takes away. `schema.toml` beside `env.py` has the release's own need:

    needs = "0002"  # the oldest revision that this code runs on
"""

from __future__ import annotations

import ast
import tomllib
from dataclasses import dataclass
from pathlib import Path

from platform_kit.errors import MigrationError

PHASES = ("expand", "contract")


@dataclass(frozen=True, slots=True)
class Declared:
    """A revision as its file declares it. `oldest_release` is None on the expand branch."""

    revision: str
    phase: str
    down: tuple[str, ...]
    depends_on: tuple[str, ...]
    oldest_release: str | None
    summary: str


@dataclass(frozen=True, slots=True)
class Declaration:
    """A history: its revisions in order, and the oldest that the code beside it runs on."""

    needs: str | None
    revisions: tuple[Declared, ...]

    def head(self, phase: str) -> str | None:
        """Return the newest revision of a phase, None when it has none."""
        return next((each.revision for each in self.revisions[::-1] if each.phase == phase), None)

    @property
    def known(self) -> frozenset[str]:
        """All revisions."""
        return frozenset(each.revision for each in self.revisions)


def read_declaration(folder: Path) -> Declaration:
    """Read a service's migrations folder; raise `MigrationError` where a file does not make sense."""
    found = {}
    for path in sorted((folder / "versions").glob("*.py")):
        names, summary = _assigned(path)
        if isinstance(names.get("revision"), str):
            found[str(names["revision"])] = (names, summary)
    return Declaration(_needs(folder), tuple(_declared(name, found) for name in _ordered(found)))


_Names = dict[str, object]
_Found = dict[str, tuple[_Names, str]]


def _assigned(path: Path) -> tuple[_Names, str]:
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        raise MigrationError(f"{path} is no Python: {error}") from error
    names: _Names = {}
    for node in tree.body:
        targets, value = [], None
        if isinstance(node, ast.Assign):
            targets, value = node.targets, node.value
        elif isinstance(node, ast.AnnAssign):
            targets, value = [node.target], node.value
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                names[target.id] = _literal(value)
    return names, (ast.get_docstring(tree) or "").partition("\n")[0]


def _literal(value: ast.expr) -> object:
    try:
        return ast.literal_eval(value)
    except ValueError:
        return None


def _many(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else tuple(str(each) for each in value)  # type: ignore[attr-defined]


def _declared(revision: str, found: _Found) -> Declared:
    names, summary = found[revision]
    oldest = names.get("oldest_release")
    return Declared(
        revision=revision,
        phase=_phase(revision, found),
        down=_many(names.get("down_revision")),
        depends_on=_many(names.get("depends_on")),
        oldest_release=oldest if isinstance(oldest, str) else None,
        summary=summary,
    )


def _phase(revision: str, found: _Found) -> str:
    names, _ = found[revision]
    for label in _many(names.get("branch_labels")):
        if label in PHASES:
            return label
    for before in _many(names.get("down_revision")):
        if before in found:
            return _phase(before, found)
    raise MigrationError(f"revision {revision} is on neither branch: expand, contract")


def _ordered(found: _Found) -> list[str]:
    ordered: list[str] = []

    def place(revision: str) -> None:
        if revision in ordered or revision not in found:
            return
        names, _ = found[revision]
        for before in (*_many(names.get("down_revision")), *_many(names.get("depends_on"))):
            place(before)
        ordered.append(revision)

    for revision in sorted(found):
        place(revision)
    return ordered


def _needs(folder: Path) -> str | None:
    path = folder / "schema.toml"
    if not path.is_file():
        return None
    try:
        needs = tomllib.loads(path.read_text(encoding="utf-8")).get("needs")
    except tomllib.TOMLDecodeError as error:
        raise MigrationError(f"{path} is no TOML: {error}") from error
    if not isinstance(needs, str):
        raise MigrationError(f'{path} declares no revision\nhint: needs = "0001"')
    return needs
