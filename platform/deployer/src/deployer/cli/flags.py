"""Feature flags: `flag list`, `set`, `rollout`."""

from __future__ import annotations

import click

from deployer.cli.options import (
    open_environment,
    parse_numbers,
    print_json,
    with_dry_run,
    with_environment,
    with_json,
)

_VARIANT = click.option(
    "--variant", metavar="NAME", help="The variant that goes out; of an on-off flag it is on."
)


@click.group()
def flag() -> None:
    """Give a service's flags to more or fewer callers; its release is left alone."""


@flag.command("list")
@click.argument("services", metavar="[SERVICE]...", nargs=-1)
@with_environment
@with_json
def list_(*, services: tuple[str, ...], environment: str, as_json: bool) -> None:
    """Show how far each flag is out, and which are expired, constant or unused."""
    from deployer.commands.flags import list_flags  # noqa: PLC0415

    context = open_environment(environment)
    names = [context.workspace.service(each) for each in services] or context.workspace.services
    lines = list_flags(context, names)
    if as_json:
        print_json(lines)
        return
    from rich.console import Console  # noqa: PLC0415

    from deployer.cli.tables import flags_table  # noqa: PLC0415

    Console().print(flags_table(lines))


@flag.command("set")
@click.argument("service")
@click.argument("name", metavar="FLAG")
@click.argument("share", metavar="on|off|PERCENT")
@_VARIANT
@with_environment
@with_json
@with_dry_run
def set_(  # an argument an option
    *,
    service: str,
    name: str,
    share: str,
    variant: str | None,
    environment: str,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Give a variant to a share of the callers, at once and without analysis."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.flags import describe_flag, set_flag  # noqa: PLC0415
    from deployer.engine import setting  # noqa: PLC0415

    context = open_environment(environment)
    owner, percent = context.workspace.service(service), _percent(share)
    if dry_run:
        click.echo(describe_flag(context, owner, name, plan=setting(percent), variant=variant))
        return
    with follower() as listen:
        state = set_flag(context, owner, name, share=percent, variant=variant, listen=listen)
    exit_for((state,), as_json=as_json)


@flag.command()
@click.argument("service")
@click.argument("name", metavar="FLAG")
@click.option(
    "--steps",
    metavar="10,50,100",
    default="10,25,50,100",
    show_default=True,
    help="Shares of the callers in percent.",
)
@click.option("--hold", "hold_seconds", type=float, help="Seconds a step, at least.")
@click.option("--despite-freeze", metavar="REASON", default="", help="Go out in a freeze.")
@_VARIANT
@with_environment
@with_json
@with_dry_run
def rollout(  # noqa: PLR0913  # an argument an option
    *,
    service: str,
    name: str,
    steps: str,
    hold_seconds: float | None,
    despite_freeze: str,
    variant: str | None,
    environment: str,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Raise the share step by step; switch the flag off when its callers fare worse than the others."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.flags import describe_flag, plan_of_flag, roll_out_flag  # noqa: PLC0415

    context = open_environment(environment)
    owner, shares = context.workspace.service(service), parse_numbers(steps, "--steps")
    if dry_run:
        plan = plan_of_flag(shares, hold_seconds=hold_seconds or 0.0)
        click.echo(describe_flag(context, owner, name, plan=plan, variant=variant))
        return
    with follower() as listen:
        state = roll_out_flag(
            context,
            owner,
            name,
            shares=shares,
            variant=variant,
            hold_seconds=hold_seconds,
            despite_freeze=despite_freeze,
            listen=listen,
        )
    exit_for((state,), as_json=as_json)


def _percent(share: str) -> int:
    words = {"on": 100, "off": 0}
    text = share.removesuffix("%")
    if share in words:
        return words[share]
    if text.isdigit() and int(text) <= 100:
        return int(text)
    message = f"{share!r} is no share of the callers: on, off, or a percentage such as 25"
    raise click.BadParameter(message, param_hint="on|off|PERCENT")


COMMANDS = (flag,)
