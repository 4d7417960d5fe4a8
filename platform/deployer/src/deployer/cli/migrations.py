"""Schema changes: `migrations lint`, `check`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli.options import open_environment, print_json, with_environment, with_json

if TYPE_CHECKING:
    from deployer.migrations.gate import Report
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
    lock = verdict.lock or "no lock"
    rewrite = ", rewrites the table" if verdict.rewrite else ""
    click.echo(f"{_mark(ok=verdict.safe)}  {' '.join(verdict.statement.split())}")
    click.echo(f"    {lock}{rewrite}")
    if not verdict.safe:
        click.echo(f"    {verdict.rule}; instead: {verdict.instead}")


@migrations.command()
@click.argument("service")
@click.option("--tests/--no-tests", default=True, help="Run the tests of both releases, too.")
@with_environment
@with_json
def check(*, service: str, tests: bool, environment: str, as_json: bool) -> None:
    """Prove that the release before and this one both run on the schema."""
    from deployer.commands.migrations_check import check as gate  # noqa: PLC0415

    context = open_environment(environment)
    report = gate(context, context.workspace.service(service), tests=tests)
    if as_json:
        print_json({**asdict(report), "ok": report.ok})
    else:
        _print_report(report)
    if not report.ok:
        raise SystemExit(1)


def _print_report(report: Report) -> None:
    for seen in report.revisions:
        click.echo(f"{seen.revision}  {seen.phase:<8}  {seen.summary}")
        for table, lock in seen.locks.items():
            rewritten = ", rewritten" if table in seen.rewritten else ""
            click.echo(f"      {table}: {lock}{rewritten}")
    for tested in report.tested:
        click.echo(
            f"{_mark(ok=tested.passed)}  {tested.release} on {tested.schema}: {tested.summary}"
        )
        if not tested.passed:
            for line in tested.lines:
                click.echo(f"      {line}")
    if report.older is None:
        click.echo("    nothing was released before: no older code to try")
    for broken in report.broken:
        click.echo(f"{_mark(ok=False)}  {broken.revision}: {broken.rule}. {broken.why}")
        if broken.statement:
            click.echo(f"      {' '.join(broken.statement.split())}")
        click.echo(f"      instead: {broken.instead}")
    click.echo(f"{_mark(ok=report.ok)}  {report.service} after {report.seconds:g} s")


def _mark(*, ok: bool) -> str:
    return click.style("ok", fg="green") if ok else click.style("no", fg="red")


COMMANDS = (migrations,)
