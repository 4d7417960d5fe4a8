"""Schema changes: `migrations lint`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli.options import print_json, with_json

if TYPE_CHECKING:
    from deployer.migrations.verdict import Verdict

_FILE = click.Path(path_type=Path, dir_okay=False)
_PHASE = click.Choice(["expand", "contract"])


@click.group()
def migrations() -> None:
    """Check, apply and take back changes of a service's schema."""


@migrations.command()
@click.option("--sql", "path", type=_FILE, required=True, help="The file of SQL to judge.")
@click.option("--schema", type=_FILE, help="SQL of what is there before: it makes verdicts exact.")
@click.option("--phase", type=_PHASE, default="expand", show_default=True)
@with_json
def lint(*, path: Path, schema: Path | None, phase: str, as_json: bool) -> None:
    """Say of every statement what it locks, whether it is safe, and what to write instead."""
    from deployer.commands.migrations_lint import lint_file  # noqa: PLC0415

    verdicts = lint_file(path, schema=schema, phase=phase)
    if as_json:
        print_json(verdicts)
    else:
        for verdict in verdicts:
            _print(verdict)
    if not all(verdict.safe for verdict in verdicts):
        raise SystemExit(1)


def _print(verdict: Verdict) -> None:
    mark = click.style("ok", fg="green") if verdict.safe else click.style("no", fg="red")
    lock = verdict.lock or "no lock"
    rewrite = ", rewrites the table" if verdict.rewrite else ""
    click.echo(f"{mark}  {' '.join(verdict.statement.split())}")
    click.echo(f"    {lock}{rewrite}")
    if not verdict.safe:
        click.echo(f"    {verdict.rule}; instead: {verdict.instead}")


COMMANDS = (migrations,)
