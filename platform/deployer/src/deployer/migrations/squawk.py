"""squawk, a linter for PostgreSQL migrations: its findings by statement, those that are taken at their word.

It comes as a program in a wheel. It sees one file and no schema, so what needs one is decided in
`checks`; what it says about names, types of style and missing time-outs is left out: the kit's guard
sets those.
"""

from __future__ import annotations

import json
import shutil
import sysconfig
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from deployer import runner
from deployer.errors import OperationError
from deployer.migrations.rules import BY_SQUAWK

VERSION = "18"  # of PostgreSQL: the embedded one's
FAILED = 1  # it found something: no failure


def program() -> Path:
    """Return where squawk is; raise OperationError `squawk-missing` if it is not installed."""
    beside = Path(sysconfig.get_path("scripts")) / "squawk"
    found = beside if beside.exists() else shutil.which("squawk")
    if found is None:
        raise OperationError(
            "squawk-missing",
            "the linter squawk is not installed",
            hint="uv pip install -e platform/deployer, which brings squawk-cli",
        )
    return Path(found)


def findings(statements: Sequence[str], *, only_known: bool = True) -> list[list[str]]:
    """Return the names of squawk's findings, a list a statement.

    `only_known` asks for the rules that are taken at their word, opt-in ones too; without it squawk
    runs as it comes.
    """
    text, owners = _one_a_block(statements)
    with TemporaryDirectory(prefix="squawk-") as folder:
        file = Path(folder) / "statements.sql"
        file.write_text(text)
        include = [word for name in sorted(BY_SQUAWK) for word in ("--include", name)]
        options = ("--reporter", "json", "--pg-version", VERSION)
        done = runner.run((program(), *options, *(include if only_known else ()), file))
    if done.code not in {0, FAILED}:
        raise OperationError(
            "squawk-failed",
            f"squawk ended with {done.code}",
            hint="read what it says above; it reads the same SQL as the lint",
            details=done.tail,
        )
    found: list[list[str]] = [[] for _ in statements]
    for row in json.loads(done.stdout or "[]"):
        line = min(row["line"], len(owners) - 1)
        found[owners[line]].append(row["rule_name"])
    return found


def _one_a_block(statements: Sequence[str]) -> tuple[str, list[int]]:
    """Return the statements one below the other, and which of them each line belongs to."""
    owners: list[int] = []
    blocks: list[str] = []
    for number, statement in enumerate(statements):
        # On a line of its own: a comment at the end would swallow the semicolon.
        block = f"{statement}\n;\n"
        blocks.append(block)
        owners.extend([number] * block.count("\n"))
    return "".join(blocks), owners or [0]
