"""`migrations lint`: what SQL would do beside running code."""

from __future__ import annotations

from pathlib import Path

from deployer.errors import InputError
from deployer.migrations.lint import lint
from deployer.migrations.verdict import Verdict


def lint_file(path: Path, *, schema: Path | None, phase: str) -> tuple[Verdict, ...]:
    """Return the verdicts on a file, a statement each; `schema` is a file of what is there before.

    Raises InputError: `sql-missing` when a file can't be read, `sql-broken` when it is no SQL.
    """
    return lint(_read(path), schema=_read(schema) if schema else "", phase=phase)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            "sql-missing", f"{path} can't be read: {error}", hint="give a file of SQL in UTF-8"
        ) from error
