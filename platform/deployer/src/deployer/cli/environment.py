"""The environment: `up`, `down`, `status`, `doctor`, `demo`."""

from __future__ import annotations

import time

import click

from deployer.cli.options import (
    chosen_target,
    open_environment,
    print_json,
    say,
    with_dry_run,
    with_environment,
    with_json,
)


@click.command()
@with_environment
@with_dry_run
def up(*, environment: str, dry_run: bool) -> None:
    """Bring the environment up, or put right what died."""
    from deployer.commands.up import plan_up  # noqa: PLC0415
    from deployer.commands.up import up as bring_up  # noqa: PLC0415

    context = open_environment(environment)
    if dry_run:
        for line in plan_up(context):
            click.echo(line)
        return
    began = time.monotonic()
    bring_up(context)
    say(f"up after {time.monotonic() - began:.1f} s: {context.target.public_url}")


@click.command()
@with_environment
@with_dry_run
def down(*, environment: str, dry_run: bool) -> None:
    """Stop every process of the environment; its data and versions stay."""
    from deployer.commands.up import down as bring_down  # noqa: PLC0415

    context = open_environment(environment)
    if dry_run:
        for name, process in context.local.processes():
            click.echo(f"would stop {name} (process {process.pid})")
        return
    bring_down(context)
    say("down")


@click.command()
@with_environment
@with_json
@click.option("--watch", is_flag=True, help="Keep looking, until Ctrl-C.")
def status(*, environment: str, as_json: bool, watch: bool) -> None:
    """Show what runs, its share of the traffic, and what moves."""
    from deployer.commands.status import status as look  # noqa: PLC0415

    context = open_environment(environment)
    if as_json:
        print_json(look(context))
        return
    from deployer.cli.tables import status_table, watch_table  # noqa: PLC0415  # rich

    if watch:
        watch_table(lambda: status_table(look(context)))
    else:
        watch_table(lambda: status_table(look(context)), once=True)


@click.command()
@click.argument("service", required=False)
@with_environment
@with_json
def doctor(*, service: str | None, environment: str, as_json: bool) -> None:
    """Say what is missing or in the way, and how to mend it.

    With SERVICE only what that one needs: all that its own pipeline may see.
    """
    from deployer.commands.doctor import examine  # noqa: PLC0415

    findings = examine(environment, service=service, target=chosen_target())
    if as_json:
        print_json(findings)
    else:
        for finding in findings:
            mark = click.style("ok", fg="green") if finding.ok else click.style("no", fg="red")
            click.echo(f"{mark}  {finding.subject}: {finding.text}")
            if not finding.ok:
                click.echo(f"    hint: {finding.hint}")
    if not all(finding.ok for finding in findings):
        raise SystemExit(1)


@click.command()
@with_json
def demo(*, as_json: bool) -> None:
    """Watch a release go out under live traffic, and a bad one be caught."""
    from deployer.cli.theatre import perform  # noqa: PLC0415

    report = perform()
    if as_json:
        print_json(report)
    if not report.kept:
        raise SystemExit(1)


COMMANDS = (up, down, status, doctor, demo)
