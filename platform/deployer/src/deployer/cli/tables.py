"""Tables and texts for people. Everything reads the same without colour."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import click
from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table

from deployer.commands.flags import FlagLine
from deployer.commands.plan import Forecast, ForecastStep
from deployer.commands.replay import Replay
from deployer.commands.status import ServiceLine, SlotLine
from deployer.commands.why import Account, Split

if TYPE_CHECKING:
    from deployer.migrations.rehearsal import Rehearsed

REFRESH_SECONDS = 0.5


def status_table(lines: tuple[ServiceLine, ...]) -> Table:
    """Draw `status`."""
    table = Table("service", "live", "instances", "candidate", "weight", "phase", "verdict")
    for line in lines:
        moving = line.rollout
        table.add_row(
            line.service,
            _version(line.live),
            f"{line.live.ready}/{line.live.instances}" if line.live else "-",
            _version(line.candidate) if moving else _standby(line),
            f"{line.candidate.weight} %" if line.candidate else "-",
            f"{moving.phase} ({moving.step}/{moving.steps})" if moving else "-",
            (moving.verdict or "-") if moving else "-",
        )
    return table


def rehearsal_table(rehearsed: Rehearsed) -> Table:
    """Draw `migrations rehearse`: a row a statement, those marked that are over budget."""
    over = {(each.revision, each.statement) for each in rehearsed.over}
    table = Table("revision", "statement", "lock", "held", "took")
    for step in rehearsed.steps:
        times = f" ({step.times} times)" if step.times > 1 else ""
        table.add_row(
            step.revision,
            step.line + times,
            f"{step.lock} on {', '.join(step.tables)}" if step.lock else "-",
            f"{step.held_seconds * 1000:.0f} ms" if step.lock else "-",
            f"{step.seconds:.3f} s",
            style="red" if (step.revision, step.statement) in over else None,
        )
    return table


def flags_table(lines: tuple[FlagLine, ...]) -> Table:
    """Draw `flag list`."""
    table = Table("service", "flag", "variant", "share", "requests", "remarks")
    for line in lines:
        requests = ", ".join(f"{name} {number}" for name, number in line.requests.items())
        table.add_row(
            line.service, line.flag, line.variant, f"{line.share} %", requests or "-",
            "\n".join(line.remarks) or "-",
        )  # fmt: skip
    return table


def watch_table(draw: Callable[[], RenderableType], *, once: bool = False) -> None:
    """Show a table, and keep it fresh until Ctrl-C unless `once`."""
    console = Console()
    if once:
        console.print(draw())
        return
    try:
        with Live(draw(), console=console, auto_refresh=False) as live:
            while True:
                time.sleep(REFRESH_SECONDS)
                live.update(draw(), refresh=True)
    except KeyboardInterrupt:
        return


def print_plan(forecast: Forecast) -> None:
    """Print `plan`."""
    click.echo(
        f"{forecast.service}: {forecast.live or 'nothing'} -> {forecast.candidate},"
        f" {forecast.strategy}, at {forecast.requests_per_second:g} requests/s"
    )
    for number, step in enumerate(forecast.steps, start=1):
        gate = ", then a person decides" if step.gate else ""
        instances = f"{step.instances} + {step.live_instances} instances"
        click.echo(
            f"  {number}. {step.weight:3} %  {step.check:8}  {instances},"
            f" at least {_lasts(step.at_least_seconds)}{gate}"
        )
        shown = _shown(step, forecast.requests_per_second)
        if shown:
            click.echo(f"       {shown}")
    click.echo(
        f"  in all at least {_lasts(forecast.at_least_seconds)};"
        f" a step passes after {forecast.requests_for_pass} requests or more"
    )


def print_account(account: Account) -> None:
    """Print `why`."""
    moved = f"{account.live or 'nothing'} -> {account.candidate}"
    if account.flag:
        moved = f"{account.flag} to {account.variant}, release {account.candidate} left alone"
    click.secho(
        f"{account.service}: {account.kind} {moved}:"
        f" {account.outcome or 'on its way'} after {account.seconds:.1f} s",
        bold=True,
    )
    if account.despite_freeze:
        click.echo(f"  went out in a freeze: {account.despite_freeze}")
    if account.summary:
        click.echo(f"  it ended: {account.summary}; the details of a rollout this old are not kept")
    for each in account.decisions:
        click.echo(
            f"  {each.at:7.1f} s  {each.before} -> {each.after}  ({each.weight} %)  {each.rule}"
        )
        for line in each.reason.splitlines():
            click.echo(f"             {line}")
        if each.would_change:
            click.echo(f"             otherwise: {each.would_change}")
    if account.split is not None:
        click.echo(f"  time: {_split(account.split)}")


def print_replay(replay: Replay) -> None:
    """Print `replay`."""
    head = (
        f"{replay.service}: rollout {replay.rollout} of {replay.candidate}, {replay.events} events"
    )
    found = replay.divergence
    if found is None:
        click.echo(f"{head}: every decision the same")
        return
    click.echo(f"{head}: differs after {found.at:.1f} s")
    click.echo(f"  recorded: {found.recorded}")
    click.echo(f"  replayed: {found.replayed}")
    click.echo(f"  {found.reason}")


def _split(split: Split) -> str:
    """Say where the time of a rollback went: `fault at 12.1 s, detected 3.4 s later, ...`."""
    marks = (
        ("fault", split.fault_at),
        ("detected and decided", split.detected_at),
        ("old slot ready", split.acted_at),
        ("all traffic back", split.converged_at),
    )
    known = [(name, at) for name, at in marks if at is not None]
    first, begun = known[0]
    later = (
        f"{name} {at - before:.2f} s later" for (_, before), (name, at) in itertools.pairwise(known)
    )
    return ", ".join((f"{first} at {begun:.1f} s", *later))


def _version(slot: SlotLine | None) -> str:
    return f"{slot.version} ({slot.slot})" if slot else "-"


def _standby(line: ServiceLine) -> str:
    if line.standby is None:
        return "-"
    return f"{line.standby.version} ({line.standby.slot}, standby)"


def _lasts(seconds: float | None) -> str:
    return "as long as it takes" if seconds is None else _time(seconds)


def _shown(step: ForecastStep, requests_per_second: float) -> str:
    """Say what a step would show how soon: `at today's 2.1 requests/s to the candidate ...`."""
    faults = [
        f"a {share:.0%} fault shows in about {_time(seconds)}"
        for share, seconds in step.fault_seconds
        if seconds is not None and step.check != "none"
    ]
    if not faults:
        return ""
    rate = requests_per_second * step.weight / 100
    return f"at today's {rate:.2g} requests/s to the candidate {', '.join(faults)}"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min"
