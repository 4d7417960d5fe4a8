"""What moves traffic: `plan`, `rollout`, `rollback`, the wishes for a running one; and `why`."""

from __future__ import annotations

import click

from deployer.cli.options import (
    open_environment,
    print_json,
    say,
    with_dry_run,
    with_environment,
    with_json,
    with_policy,
)

ASKED = "asked; follow it with: deployer status --watch"


@click.command()
@click.argument("wanted", metavar="SERVICE[@VERSION]")
@with_policy
@with_environment
@with_json
def plan(*, wanted: str, options: dict[str, object], environment: str, as_json: bool) -> None:
    """Show the steps, their times, and how soon which fault would show."""
    from deployer.cli.tables import print_plan  # noqa: PLC0415
    from deployer.commands.plan import forecast  # noqa: PLC0415

    result = forecast(open_environment(environment), wanted, options)
    if as_json:
        print_json(result)
    else:
        print_plan(result)


@click.command()
@click.argument("wanted", metavar="SERVICE[@VERSION]...", nargs=-1, required=True)
@with_policy
@click.option("--set", "settings", metavar="NAME=VALUE", multiple=True, help="Freeze a setting.")
@click.option("--allow-older", is_flag=True, help="Let a lower version replace a higher one.")
@click.option("--supersede", is_flag=True, help="Take a running rollout back first.")
@click.option("--despite-freeze", metavar="REASON", default="", help="Go out in a freeze.")
@with_environment
@with_json
@with_dry_run
def rollout(  # noqa: PLR0913  # an argument an option
    *,
    wanted: tuple[str, ...],
    options: dict[str, object],
    settings: tuple[str, ...],
    allow_older: bool,
    supersede: bool,
    despite_freeze: str,
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
            print_plan(forecast(context, text, options))
        return
    with follower(len(requests)) as listen:
        states = roll_out(
            context,
            requests,
            allow_older=allow_older,
            supersede=supersede,
            despite_freeze=despite_freeze,
            options=options,
            listen=listen,
        )
    exit_for(states, as_json=as_json)


@click.command()
@click.argument("service")
@click.option("--to", metavar="VERSION", help="An earlier version, instead of the last good one.")
@click.option(
    "--mode",
    type=click.Choice(["immediate", "gradual"]),
    default="immediate",
    show_default=True,
    help="All traffic at once, or step by step.",
)
@with_environment
@with_json
@with_dry_run
def rollback(
    *, service: str, to: str | None, mode: str, environment: str, as_json: bool, dry_run: bool
) -> None:
    """Give the traffic back to the last good version, whatever the state of the bad one."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.rollback import describe_rollback  # noqa: PLC0415
    from deployer.commands.rollback import rollback as roll_back  # noqa: PLC0415
    from deployer.releases import Version  # noqa: PLC0415

    context = open_environment(environment)
    name = context.workspace.service(service)
    version = Version.parse(to) if to else None
    if dry_run:
        click.echo(describe_rollback(context, name, to=version))
        return
    with follower() as listen:
        state = roll_back(context, name, to=version, gradually=mode == "gradual", listen=listen)
    exit_for((state,), as_json=as_json, wanted_back=True)


@click.command()
@click.argument("service")
@with_environment
@with_json
@with_dry_run
def resume(*, service: str, environment: str, as_json: bool, dry_run: bool) -> None:
    """Go on with a rollout that is paused, or whose process died."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.running import describe_resume  # noqa: PLC0415
    from deployer.commands.running import resume as go_on  # noqa: PLC0415

    context = open_environment(environment)
    name = context.workspace.service(service)
    if dry_run:
        click.echo(describe_resume(context, name))
        return
    with follower() as listen:
        state = go_on(context, name, listen=listen)
    if state is None:
        say(ASKED)
    else:
        exit_for((state,), as_json=as_json)


@click.command()
@click.argument("service")
@with_environment
@with_dry_run
def promote(*, service: str, environment: str, dry_run: bool) -> None:
    """Let a running rollout go on to its next step, without waiting for the verdict."""
    _ask(service, environment, "promote", dry_run=dry_run)


@click.command()
@click.argument("service")
@with_environment
@with_dry_run
def pause(*, service: str, environment: str, dry_run: bool) -> None:
    """Keep a running rollout at its weight until `resume`; it still turns back when it fails."""
    _ask(service, environment, "pause", dry_run=dry_run)


@click.command()
@click.argument("service")
@with_environment
@with_dry_run
def abort(*, service: str, environment: str, dry_run: bool) -> None:
    """Stop a running rollout: all traffic goes back to the old version."""
    from deployer.cli.follow import exit_for, follower  # noqa: PLC0415
    from deployer.commands.running import abort as take_back  # noqa: PLC0415
    from deployer.commands.running import describe_request  # noqa: PLC0415
    from deployer.ledger import Verb  # noqa: PLC0415

    context = open_environment(environment)
    name = context.workspace.service(service)
    if dry_run:
        click.echo(describe_request(context, name, Verb.ABORT))
        return
    with follower() as listen:
        state = take_back(context, name, why="aborted by hand", listen=listen)
    if state is None:
        say(ASKED)
    else:
        exit_for((state,), as_json=False, wanted_back=True)


@click.command()
@with_environment
@click.option("--once", is_flag=True, help="Look once, and end what is left behind.")
def watch(*, environment: str, once: bool) -> None:
    """Go on with rollouts whose process died, and end standbys; until Ctrl-C."""
    from deployer.cli.follow import follower  # noqa: PLC0415
    from deployer.commands.running import watch as keep_watch  # noqa: PLC0415

    context = open_environment(environment)
    with follower() as listen:
        for line in keep_watch(context, once=once, listen=listen):
            say(line)


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


@click.command()
@click.argument("service")
@click.option(
    "--last",
    default=1,
    type=click.IntRange(min=1),
    show_default=True,
    help="How many rollouts, newest first.",
)
@click.option("--policy", metavar="ENV", help="Judge by that environment's limits instead.")
@with_environment
@with_json
def replay(*, service: str, last: int, policy: str | None, environment: str, as_json: bool) -> None:
    """Feed a ledger back to the engine: the same decisions, or where another limit would differ."""
    from deployer.cli.tables import print_replay  # noqa: PLC0415
    from deployer.commands.policy import limits_of  # noqa: PLC0415
    from deployer.commands.replay import replay as feed_back  # noqa: PLC0415

    context = open_environment(environment)
    limits = limits_of(open_environment(policy)) if policy else None
    found = feed_back(context, context.workspace.service(service), limit=last, limits=limits)
    if as_json:
        print_json(found)
    else:
        for each in found:
            print_replay(each)
    if limits is None and any(each.divergence for each in found):
        raise SystemExit(1)


def _ask(service: str, environment: str, verb: str, *, dry_run: bool) -> None:
    from deployer.commands.running import describe_request, request  # noqa: PLC0415
    from deployer.ledger import Verb  # noqa: PLC0415

    context = open_environment(environment)
    name = context.workspace.service(service)
    if dry_run:
        click.echo(describe_request(context, name, Verb(verb)))
        return
    request(context, name, Verb(verb), why=f"{verb} by hand")
    say(ASKED)


def _setting(text: str) -> tuple[str, str]:
    name, found, value = text.partition("=")
    if not found:
        message = f"{text!r} is not NAME=VALUE"
        raise click.BadParameter(message, param_hint="--set")
    return name, value


COMMANDS = (plan, rollout, rollback, resume, promote, pause, abort, watch, why, replay)
