"""What moves traffic: `plan`, `rollout`, `rollback`, `resume`, `promote`, `abort`; and `why`."""

from __future__ import annotations

import click

from deployer.cli.options import (
    open_environment,
    print_json,
    say,
    with_dry_run,
    with_environment,
    with_json,
)


@click.command()
@click.argument("wanted", metavar="SERVICE[@VERSION]")
@with_environment
@with_json
def plan(*, wanted: str, environment: str, as_json: bool) -> None:
    """Show the steps, their times, and how soon which fault would show."""
    from deployer.cli.tables import print_plan  # noqa: PLC0415
    from deployer.commands.plan import forecast  # noqa: PLC0415

    result = forecast(open_environment(environment), wanted)
    if as_json:
        print_json(result)
    else:
        print_plan(result)


@click.command()
@click.argument("wanted", metavar="SERVICE[@VERSION]...", nargs=-1, required=True)
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Freeze a setting.")
@click.option("--allow-older", is_flag=True, help="Let a lower version replace a higher one.")
@with_environment
@with_json
@with_dry_run
def rollout(
    *,
    wanted: tuple[str, ...],
    settings: tuple[str, ...],
    allow_older: bool,
    environment: str,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Build if needed, migrate, move the traffic step by step, and promote."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.release import parse_wanted  # noqa: PLC0415
    from deployer.commands.rollout import rollout as roll_out  # noqa: PLC0415

    context = open_environment(environment)
    configuration = dict(_setting(text) for text in settings)
    requests = [parse_wanted(context, text, configuration) for text in wanted]
    if dry_run:
        from deployer.cli.tables import print_plan  # noqa: PLC0415
        from deployer.commands.plan import forecast  # noqa: PLC0415

        for text in wanted:
            print_plan(forecast(context, text))
        return
    with follower() as listen:
        states = roll_out(context, requests, allow_older=allow_older, listen=listen)
    exit_for(states, as_json=as_json)


@click.command()
@click.argument("service")
@click.option("--to", metavar="VERSION", help="An earlier version, instead of the last good one.")
@with_environment
@with_json
@with_dry_run
def rollback(
    *, service: str, to: str | None, environment: str, as_json: bool, dry_run: bool
) -> None:
    """Give the traffic back to the last good version, whatever the state of the bad one."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.rollout import describe_rollback  # noqa: PLC0415
    from deployer.commands.rollout import rollback as roll_back  # noqa: PLC0415
    from deployer.releases import Version  # noqa: PLC0415

    context = open_environment(environment)
    name = context.workspace.service(service)
    version = Version.parse(to) if to else None
    if dry_run:
        click.echo(describe_rollback(context, name, to=version))
        return
    with follower() as listen:
        state = roll_back(context, name, to=version, listen=listen)
    exit_for((state,), as_json=as_json, wanted_back=True)


@click.command()
@click.argument("service")
@with_environment
@with_json
@with_dry_run
def resume(*, service: str, environment: str, as_json: bool, dry_run: bool) -> None:
    """Go on with a rollout whose process died."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.rollout import describe_resume  # noqa: PLC0415
    from deployer.commands.rollout import resume as go_on  # noqa: PLC0415

    context = open_environment(environment)
    name = context.workspace.service(service)
    if dry_run:
        click.echo(describe_resume(context, name))
        return
    with follower() as listen:
        state = go_on(context, name, listen=listen)
    exit_for((state,), as_json=as_json)


@click.command()
@click.argument("service")
@with_environment
def promote(*, service: str, environment: str) -> None:
    """Let a running rollout go on to its next step, without waiting for the verdict."""
    from deployer.commands.rollout import request  # noqa: PLC0415

    context = open_environment(environment)
    request(context, context.workspace.service(service), "promote", why="promoted by hand")
    say("asked; follow it with: deployer status --watch")


@click.command()
@click.argument("service")
@with_environment
def abort(*, service: str, environment: str) -> None:
    """Stop a running rollout: all traffic goes back to the old version."""
    from deployer.commands.rollout import request  # noqa: PLC0415

    context = open_environment(environment)
    request(context, context.workspace.service(service), "abort", why="aborted by hand")
    say("asked; follow it with: deployer status --watch")


@click.command()
@click.argument("service")
@click.option(
    "--last",
    default=1,
    type=click.IntRange(min=1),
    show_default=True,
    help="How many rollouts, newest first.",
)
@with_environment
@with_json
def why(*, service: str, last: int, environment: str, as_json: bool) -> None:
    """Tell each decision of a service's last rollout, with its counts and its rule."""
    from deployer.commands.why import why as account  # noqa: PLC0415

    context = open_environment(environment)
    accounts = account(context, context.workspace.service(service), limit=last)
    if as_json:
        print_json(accounts)
        return
    from deployer.cli.tables import print_account  # noqa: PLC0415

    for each in accounts:
        print_account(each)


def _setting(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        message = f"{text!r} is not NAME=VALUE"
        raise click.BadParameter(message, param_hint="--set")
    return name, value


COMMANDS = (plan, rollout, rollback, resume, promote, abort, why)
