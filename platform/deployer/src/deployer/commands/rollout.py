"""`rollout`, `rollback`, `resume`, `abort`, `promote`: everything that moves traffic."""

from __future__ import annotations

import time
from collections.abc import Sequence

from deployer.commands.context import Context
from deployer.commands.orders import (
    carry_out,
    interrupted,
    leased,
    not_installed,
    order_rollback,
    order_rollout,
    take_over,
    unfinished,
)
from deployer.commands.release import Wanted, build_release, require_consistent
from deployer.commands.threads import threads
from deployer.driver import Listener, decode_order, read_rollout
from deployer.engine import Kind, Phase, Rollout
from deployer.errors import InputError
from deployer.ledger import Header, LeaseHeldError, Request
from deployer.ledger.file import this_holder
from deployer.model import Release, ServiceName
from deployer.releases import Version


def _quiet(_rollout: Rollout, _event: object) -> None:
    """Hear nothing."""


def rollout(
    context: Context,
    wanted: Sequence[Wanted],
    *,
    allow_older: bool = False,
    listen: Listener = _quiet,
) -> tuple[Rollout | None, ...]:
    """Roll out releases, each beside its live one; services do not wait for each other.

    Returns each rollout at its end, or None for a release that is live already. Raises before
    anything is changed: InputError for what can't be done as asked, ConflictError when a rollout
    of the service is running or the version was seen with other content.
    """
    services = [each.service for each in wanted]
    twice = sorted({service for service in services if services.count(service) > 1})
    if twice:
        raise InputError(
            "service-twice",
            f"{', '.join(twice)}: asked for twice in one call",
            hint="name each service once; the next version goes out after this one",
        )
    for service in services:
        _require_free(context, service)
    with threads(len(wanted)) as pool:
        # All of them are built and checked before the traffic of any moves.
        prepared = pool.map(lambda each: _prepare(context, each, allow_older=allow_older), wanted)
        return tuple(
            pool.map(lambda release: _move(context, release, listen=listen), tuple(prepared))
        )


def rollback(
    context: Context, service: ServiceName, *, to: Version | None = None, listen: Listener = _quiet
) -> Rollout:
    """Give the traffic back: to the old slot of a running rollout, or to an earlier version.

    Without `to` it is the last version that was promoted and never rolled back. A rollback that is
    on its way already is followed, not turned around. Raises InputError `nothing-to-roll-back-to`
    when there is no such version.
    """
    header = unfinished(context, service)
    if header is not None:
        state = _take_back(context, header, listen=listen)
        if not _still_wanted(context, state, to):
            return state
    release = _earlier(context, service, to)
    context.say(f"rolling {service} back to {release.version}")
    return carry_out(context, service, lambda: order_rollback(context, release), listen=listen)


def resume(context: Context, service: ServiceName, *, listen: Listener = _quiet) -> Rollout:
    """Go on with the rollout of a process that died; raise InputError when there is none."""
    return take_over(context, _interrupted(context, service), listen=listen)


def request(context: Context, service: ServiceName, verb: str, *, why: str) -> None:
    """Ask the holder of a running rollout to abort or promote it.

    Raises InputError when none is running, or when its holder is dead and nobody would hear.
    """
    header = unfinished(context, service)
    if header is None:
        raise InputError(
            "no-rollout-running",
            f"no rollout of {service} is running",
            hint=f"deployer rollback {service} undoes the last one",
        )
    try:
        with leased(context, service):
            raise interrupted(header)
    except LeaseHeldError:
        context.ledger.request(header.id, _wish(context, verb, why=why))


def retire_standbys(context: Context) -> tuple[ServiceName, ...]:
    """Empty the slots whose standby is over; return the services where that was so."""
    retired = []
    for service in context.installed:
        record = context.target.records.read(service)
        if record.live is None or record.standby_until is None:
            continue
        if record.standby_until > context.clock.now():
            continue
        try:
            with leased(context, service) as lease:
                context.target.retire(service, record.live.other, fence=lease.fence)
                context.target.promote(service, record.live, standby_until=None, fence=lease.fence)
        except LeaseHeldError:
            continue  # a rollout is using that slot: it decides
        retired.append(service)
    return tuple(retired)


def _interrupted(context: Context, service: ServiceName) -> Header:
    header = unfinished(context, service)
    if header is None:
        raise InputError(
            "nothing-to-resume",
            f"no rollout of {service} was interrupted",
            hint=f"deployer why {service} tells how the last one ended",
        )
    return header


def describe_rollback(context: Context, service: ServiceName, *, to: Version | None) -> str:
    """Say what `rollback` would do."""
    header = unfinished(context, service)
    if header is not None:
        order = decode_order(header.order)
        live = order.live.version if order.live else "nothing"
        if order.kind is Kind.ROLLBACK:
            return f"would follow the rollback to {order.candidate.name} that is on its way"
        return f"would stop the rollout of {order.candidate.name} and return to {live}"
    return f"would give all traffic of {service} to {_earlier(context, service, to).version}"


def describe_resume(context: Context, service: ServiceName) -> str:
    """Say where `resume` would go on."""
    state = read_rollout(context.ledger, _interrupted(context, service))
    step = f"step {state.step_index + 1} of {len(state.order.plan)}"
    return f"would go on with {state.order.candidate.name}: {state.phase}, {step}"


def _prepare(context: Context, wanted: Wanted, *, allow_older: bool) -> Release | None:
    """Build what is wanted and see that it may go out; None when it is live already."""
    release = build_release(context, wanted)
    require_consistent(context, release)
    live = _live(context, release.service)
    if live is not None and live.version == release.version:
        context.say(f"{release.name} is live already")
        return None
    if live is not None and not allow_older:
        _require_newer(live, release)
    return release


def _move(context: Context, release: Release | None, *, listen: Listener) -> Rollout | None:
    if release is None:
        return None
    return carry_out(
        context, release.service, lambda: order_rollout(context, release), listen=listen
    )


def _require_free(context: Context, service: ServiceName) -> None:
    """Refuse before building when a rollout of the service is under way."""
    with leased(context, service):
        left = unfinished(context, service)
        if left is not None:
            raise interrupted(left)


def _require_newer(live: Release, release: Release) -> None:
    if Version.parse(release.version) > Version.parse(live.version):
        return
    raise InputError(
        "older-version",
        f"{release.name} is older than the live {live.version}",
        hint=f"deployer rollback {release.service} --to {release.version}, or --allow-older",
    )


def _take_back(context: Context, header: Header, *, listen: Listener) -> Rollout:
    """Turn a rollout around, whether its holder lives or not; let a rollback come to its end."""
    turning = decode_order(header.order).kind is not Kind.ROLLBACK
    wish = _wish(context, "abort", why="rollback") if turning else None
    try:
        return take_over(context, header, listen=listen, asking=wish)
    except LeaseHeldError as error:
        holder = error.lease.holder
    if wish is None:
        context.say(f"{holder} is rolling {header.service} back already")
    else:
        context.say(f"asking {holder} to take {header.service} back")
        context.ledger.request(header.id, wish)
    return _follow(context, header, listen=listen)


def _still_wanted(context: Context, state: Rollout, to: Version | None) -> bool:
    """Whether a rollback is still wanted after a rollout that was under way has ended so."""
    if state.phase is Phase.FAILED or state.order.live is None:
        return False
    if to is not None:
        live = _live(context, state.order.service)
        return live is not None and live.version != str(to)
    # The wish came too late: the release was being promoted.
    return state.phase is Phase.PROMOTED and state.order.kind is Kind.ROLLOUT


def _wish(context: Context, verb: str, *, why: str) -> Request:
    return Request(context.clock.now(), verb, by=this_holder(), why=why)


def _follow(context: Context, header: Header, *, listen: Listener) -> Rollout:
    """Wait for another process to end a rollout; take it over when that process dies."""
    while True:
        try:
            return take_over(context, header, listen=listen)
        except LeaseHeldError:
            time.sleep(0.1)


def _earlier(context: Context, service: ServiceName, to: Version | None) -> Release:
    live = _live(context, service)
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


def _live(context: Context, service: ServiceName) -> Release | None:
    record = context.target.records.read(service)
    held = record.slot(record.live) if record.live else None
    return held.release if held else None


def promoted_releases(context: Context, service: ServiceName) -> tuple[Release, ...]:
    """Return what was promoted and never rolled back, oldest first; the live one is the last."""
    standing: list[Release] = []
    for header in reversed(context.ledger.history(service, limit=1000)):
        if header.outcome != Phase.PROMOTED:
            continue
        order = decode_order(header.order)
        if order.kind is Kind.ROLLBACK and order.live is not None:
            standing = [release for release in standing if release.version != order.live.version]
        standing = [r for r in standing if r.version != order.candidate.version]
        standing.append(order.candidate)
    return tuple(standing)
