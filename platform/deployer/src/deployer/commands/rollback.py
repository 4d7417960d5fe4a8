"""`rollback`: the traffic goes back, in the middle of a rollout or after it."""

from __future__ import annotations

import time

from deployer.commands.context import Context
from deployer.commands.orders import (
    carry_out,
    not_installed,
    order_rollback,
    take_over,
    unfinished,
)
from deployer.driver import Listener, decode_order, read_rollout, unheard
from deployer.engine import WAY_BACK, Kind, Phase, Rollout
from deployer.errors import InputError
from deployer.ledger import Header, LeaseHeldError, Request, Verb
from deployer.ledger.holder import this_holder
from deployer.model import Release, ServiceName
from deployer.releases import Version

POLL_SECONDS = 0.1


def rollback(
    context: Context,
    service: ServiceName,
    *,
    to: Version | None = None,
    gradually: bool = False,
    listen: Listener = unheard,
) -> Rollout:
    """Give the traffic back: to the old slot of a running rollout, or to an earlier version.

    Without `to` it is the last version that was promoted and never rolled back. A rollback that is
    on its way already is followed; one that goes gradually is hurried unless `gradually`. No freeze
    holds it up. Raises InputError `nothing-to-roll-back-to` when there is no such version.
    """
    header = unfinished(context, service)
    if header is not None:
        state = take_back(context, header, gradually=gradually, listen=listen)
        if not _still_wanted(context, state, to):
            return state
    release = _earlier(context, service, to)
    context.say(f"rolling {service} back to {release.version}")
    return carry_out(
        context,
        service,
        lambda: order_rollback(context, release, gradually=gradually),
        listen=listen,
    )


def describe_rollback(context: Context, service: ServiceName, *, to: Version | None) -> str:
    """Say what `rollback` would do."""
    header = unfinished(context, service)
    if header is not None:
        order = decode_order(header.order)
        live = order.live.version if order.live else "nothing"
        if order.kind is Kind.ROLLBACK:
            return f"would follow the rollback to {order.subject} that is on its way"
        if order.flag:
            return f"would stop the rollout of {order.subject} and switch it off"
        return f"would stop the rollout of {order.candidate.name} and return to {live}"
    return f"would give all traffic of {service} to {_earlier(context, service, to).version}"


def take_back(
    context: Context, header: Header, *, gradually: bool = False, listen: Listener
) -> Rollout:
    """Turn a rollout around, whether its holder lives or not; let a rollback come to its end."""
    state = read_rollout(context.ledger, header)
    turned = state.order.kind is Kind.ROLLBACK or state.phase in WAY_BACK
    if turned:
        verb = None if gradually else Verb.HURRY
    else:
        verb = Verb.ABORT_GRADUALLY if gradually else Verb.ABORT
    asking = wish(context, verb, why="rollback") if verb else None
    try:
        return take_over(context, header, listen=listen, asking=asking)
    except LeaseHeldError as error:
        holder = error.lease.holder
    if turned:
        context.say(f"{holder} is rolling {header.service} back already")
    else:
        context.say(f"asking {holder} to take {header.service} back")
    if asking is not None:
        context.ledger.request(header.service, header.id, asking)
    return follow(context, header, listen=listen)


def follow(context: Context, header: Header, *, listen: Listener) -> Rollout:
    """Wait for another process to end a rollout; take it over when that process dies."""
    while True:
        try:
            return take_over(context, header, listen=listen)
        except LeaseHeldError:
            time.sleep(POLL_SECONDS)


def wish(context: Context, verb: Verb, *, why: str) -> Request:
    """Return what this process asks the holder of a rollout for."""
    return Request(context.clock.now(), verb, by=this_holder(), why=why)


def promoted_releases(context: Context, service: ServiceName) -> tuple[Release, ...]:
    """Return what was promoted and never rolled back, oldest first; the live one is the last."""
    standing: list[Release] = []
    for header in reversed(context.ledger.history(service, limit=1000)):
        if header.outcome != Phase.PROMOTED:
            continue
        order = decode_order(header.order)
        if order.kind is Kind.FLAG:
            continue
        if order.kind is Kind.ROLLBACK and order.live is not None:
            standing = [release for release in standing if release.version != order.live.version]
        standing = [r for r in standing if r.version != order.candidate.version]
        standing.append(order.candidate)
    return tuple(standing)


def _still_wanted(context: Context, state: Rollout, to: Version | None) -> bool:
    """Whether a rollback is still wanted after a rollout that was under way has ended so."""
    if state.phase is Phase.FAILED or state.order.live is None:
        return False
    if to is not None:
        live = context.live(state.order.service)
        return live is not None and live.version != str(to)
    # The wish came too late: the release had been promoted.
    return state.phase is Phase.PROMOTED and state.order.kind is Kind.ROLLOUT


def _earlier(context: Context, service: ServiceName, to: Version | None) -> Release:
    live = context.live(service)
    if live is None:
        raise not_installed(service)
    promoted = promoted_releases(context, service)
    choices = [release for release in promoted if release.version != live.version]
    if to is not None:
        choices = [release for release in choices if release.version == str(to)]
    if choices:
        return choices[-1]
    wanted = f" {to}" if to else ""
    raise InputError(
        "nothing-to-roll-back-to",
        f"{service} has no earlier version{wanted} that was promoted here and never rolled back",
        hint=f"deployer why {service} lists what happened; a fix goes out as a new rollout",
    )
