"""Schema changes: `migrations lint`, `check`, `rehearse`, `apply`, `revert`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from deployer.cli.options import (
    open_environment,
    print_json,
    say,
    with_dry_run,
    with_environment,
    with_json,
)

if TYPE_CHECKING:
    from deployer.migrations.gate import Report
    from deployer.migrations.rehearsal import Rehearsed
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


@migrations.command()
@click.argument("service")
@click.option("--rows", type=click.IntRange(min=1), help="In every table, whatever is declared.")
@with_environment
@with_json
def rehearse(*, service: str, rows: int | None, environment: str, as_json: bool) -> None:
    """Try the schema change on a copy with as many rows as production has, against the budget."""
    from deployer.commands.migrations_rehearse import rehearse as carry_out  # noqa: PLC0415
    from deployer.commands.migrations_rehearse import require_within_budget  # noqa: PLC0415

    context = open_environment(environment)
    rehearsed = carry_out(context, context.workspace.service(service), rows=rows)
    if as_json:
        print_json({**asdict(rehearsed), "ok": rehearsed.ok})
    else:
        _print_rehearsal(rehearsed)
    require_within_budget(rehearsed)


@migrations.command()
@click.argument("wanted", metavar="SERVICE[@VERSION]")
@click.option("--phase", type=_PHASE, required=True)
@with_dry_run
@with_environment
@with_json
def apply(*, wanted: str, phase: str, dry_run: bool, environment: str, as_json: bool) -> None:
    """Apply one phase; contract only when no running release needs what goes."""
    from deployer.commands.migrations_apply import apply as carry_out  # noqa: PLC0415
    from deployer.commands.migrations_apply import plan_apply  # noqa: PLC0415
    from deployer.commands.release import parse_wanted  # noqa: PLC0415

    context = open_environment(environment)
    asked = parse_wanted(context, wanted)
    if dry_run:
        for revision in plan_apply(context, asked, phase=phase):
            click.echo(f"would have applied {revision.revision}: {revision.summary}")
        return
    applied = carry_out(context, asked, phase=phase)
    if as_json:
        print_json({"service": asked.service, "phase": phase, "applied": list(applied)})
    else:
        say(f"applied {', '.join(applied) or 'nothing: all of the phase was'}")


@migrations.command()
@click.argument("wanted", metavar="SERVICE[@VERSION]")
@click.option("--to", metavar="REV", required=True, help="The expand revision to be the newest.")
@with_dry_run
@with_environment
@with_json
def revert(*, wanted: str, to: str, dry_run: bool, environment: str, as_json: bool) -> None:
    """Take expand revisions back that no running release needs."""
    from deployer.commands.migrations_apply import require_nobody_misses  # noqa: PLC0415
    from deployer.commands.migrations_apply import revert as carry_out  # noqa: PLC0415
    from deployer.commands.release import build_release, parse_wanted  # noqa: PLC0415

    context = open_environment(environment)
    asked = parse_wanted(context, wanted)
    if dry_run:
        for revision in require_nobody_misses(context, build_release(context, asked), to=to):
            click.echo(f"would take back {revision.revision}: {revision.summary}")
        return
    reverted = carry_out(context, asked, to=to)
    if as_json:
        print_json({"service": asked.service, "to": to, "reverted": list(reverted)})
    else:
        say(f"took back {', '.join(reverted) or 'nothing: none was applied'}")


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
    for advice in report.advice:
        click.echo(f"    {advice.revision}: {advice.rule}. {advice.why} Better: {advice.instead}")
    for broken in report.broken:
        click.echo(f"{_mark(ok=False)}  {broken.revision}: {broken.rule}. {broken.why}")
        if broken.statement:
            click.echo(f"      {' '.join(broken.statement.split())}")
        click.echo(f"      instead: {broken.instead}")
    click.echo(f"{_mark(ok=report.ok)}  {report.service} after {report.seconds:g} s")


def _print_rehearsal(rehearsed: Rehearsed) -> None:
    from rich.console import Console  # noqa: PLC0415  # late, as all that a command needs

    from deployer.cli.tables import rehearsal_table  # noqa: PLC0415

    if not rehearsed.runs:
        before = f"since {rehearsed.older}" if rehearsed.older else "by a first release"
        click.echo(f"no schema is changed {before}: nothing to rehearse")
        return
    for filled in rehearsed.filled:
        fewer = (
            f" of {filled.wanted:,}: its keys allow no more" if filled.rows < filled.wanted else ""
        )
        click.echo(f"{filled.table}: {filled.rows:,} rows{fewer}, made in {filled.seconds:g} s")
    Console().print(rehearsal_table(rehearsed))
    for run in rehearsed.runs:
        click.echo(
            f"{run.phase} took {run.seconds:.1f} s; of {run.writes} writes beside it the slowest"
            f" took {run.slowest_write_seconds * 1000:.0f} ms"
        )
    click.echo(f"{_mark(ok=rehearsed.ok)}  {rehearsed.service}")


def _mark(*, ok: bool) -> str:
    return click.style("ok", fg="green") if ok else click.style("no", fg="red")


COMMANDS = (migrations,)
