"""A history read from its files, without running them: of any release, also of one of the past.

The kit reads it like this too (`platform_kit.migrations.declaration`): Alembic's four names, the
`oldest_release` of a contract, and `needs` in `schema.toml`. A release from before there was
a `schema.toml` declares nothing: it is taken to need every expand revision that it carries.
"""

from __future__ import annotations

import ast
import tomllib
from collections.abc import Mapping
from pathlib import Path

from deployer.errors import InputError
from deployer.migrations.history import PHASES, History, Revision

Names = Mapping[str, object]


def read_folder(folder: Path) -> History:
    """Return the history in a service's migrations folder, empty where there is none.

    Raises InputError `history-broken` for a file that is no revision.
    """
    found: dict[str, Names] = {}
    for file in sorted((folder / "versions").glob("*.py")):
        names = _assigned(file)
        if isinstance(names.get("revision"), str):
            found[str(names["revision"])] = names
    revisions = tuple(_revision(name, found) for name in _ordered(found))
    return History(_needs(folder), revisions)


def _assigned(file: Path) -> Names:
    try:
        tree = ast.parse(file.read_text())
    except SyntaxError as error:
        raise _broken(file, str(error)) from error
    names: dict[str, object] = {"summary": (ast.get_docstring(tree) or "").partition("\n")[0]}
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else []
        value = node.value if isinstance(node, ast.Assign | ast.AnnAssign) else None
        targets = [node.target] if isinstance(node, ast.AnnAssign) else targets
        for target in targets:
            if isinstance(target, ast.Name) and value is not None:
                names[target.id] = _literal(value)
    return names


def _literal(value: ast.expr) -> object:
    try:
        return ast.literal_eval(value)
    except ValueError:
        return None


def _many(value: object) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    return tuple(str(each) for each in value) if isinstance(value, tuple | list) else ()


def _before(names: Names) -> tuple[str, ...]:
    return (*_many(names.get("down_revision")), *_many(names.get("depends_on")))


def _ordered(found: Mapping[str, Names]) -> list[str]:
    ordered: list[str] = []

    def place(revision: str) -> None:
        if revision in ordered or revision not in found:
            return
        for before in _before(found[revision]):
            place(before)
        ordered.append(revision)

    for revision in sorted(found):
        place(revision)
    return ordered


def _revision(name: str, found: Mapping[str, Names]) -> Revision:
    names = found[name]
    oldest = names.get("oldest_release")
    return Revision(
        revision=name,
        phase=_phase(name, found),
        down=_many(names.get("down_revision")),
        depends_on=_many(names.get("depends_on")),
        oldest_release=oldest if isinstance(oldest, str) else None,
        summary=str(names["summary"]),
    )


def _phase(name: str, found: Mapping[str, Names]) -> str:
    for label in _many(found[name].get("branch_labels")):
        if label in PHASES:
            return label
    for before in _many(found[name].get("down_revision")):
        if before in found:
            return _phase(before, found)
    raise InputError(
        "history-broken",
        f"revision {name} is on neither branch: expand, contract",
        hint='branch_labels = ("expand",) in the first revision of a branch',
    )


def _needs(folder: Path) -> str | None:
    file = folder / "schema.toml"
    if not file.is_file():
        return None
    try:
        needs = tomllib.loads(file.read_text()).get("needs")
    except tomllib.TOMLDecodeError as error:
        raise _broken(file, str(error)) from error
    return needs if isinstance(needs, str) else None


def _broken(file: Path, why: str) -> InputError:
    return InputError("history-broken", f"{file.name}: {why}", hint=f"mend {file.name}")
