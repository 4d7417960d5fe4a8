"""`rollout`: releases go out, each beside its live one, none waiting for another."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from deployer.commands.context import Context
from deployer.commands.orders import (
    carry_out,
    is_free,
    leased,
    order_rollout,
    take_over,
    unfinished,
)
from deployer.commands.policy import NO_OPTIONS, Options, plan_of, policy_of
from deployer.commands.release import Wanted, build_release, require_consistent, version_of
from deployer.commands.rollback import take_back
from deployer.driver import Listener, decode_order, unheard
from deployer.engine import Kind, Order, Rollout
from deployer.errors import ConflictError, InputError
from deployer.freeze import frozen_by, in_words
from deployer.ledger import Header, LeaseHeldError
from deployer.model import Release, ServiceName
from deployer.releases import Version
from deployer.threads import gather, threads


def rollout(  # an argument an option of the command
    context: Context,
    wanted: Sequence[Wanted],
    *,
    allow_older: bool = False,
    supersede: bool = False,
    despite_freeze: str = "",
    options: Options = NO_OPTIONS,
    listen: Listener = unheard,
) -> tuple[Rollout | None, ...]:
    """Roll out releases, each beside its live one; services do not wait for each other.

    `options` go above the services' and the environment's policy. A rollout of the service that is
    running is refused, or with `supersede` taken back first; one whose process died is gone on with
    when it is of the same version, and taken back otherwise. `despite_freeze` is why this one goes
    out all the same in a freeze.

    Returns each rollout at its end, or None for a release that is live already. Raises before
    anything is changed: InputError for what can't be done as asked, ConflictError when a rollout
    of the service is running, the version was seen with other content, or there is a freeze.
    """
    services = [each.service for each in wanted]
    twice = sorted({service for service in services if services.count(service) > 1})
    if twice:
        raise InputError(
            "service-twice",
            f"{', '.join(twice)}: asked for twice in one call",
            hint="name each service once; the next version goes out after this one",
        )
    if not require_thawed(context, despite_freeze):
        despite_freeze = ""
    context.target.require_usable(services)
    for service in services:
        plan_of(policy_of(context, service, options), live_instances=1)  # refuses a bad policy
        require_free(context, service, supersede=supersede)

    def prepare(each: Wanted) -> Release | Rollout | None:
        return _prepare(context, each, allow_older=allow_older, listen=listen)

    def order(release: Release) -> Order:
        return replace(order_rollout(context, release, options), despite_freeze=despite_freeze)

    with threads(len(wanted)) as pool:
        # All of them are built and checked before the traffic of any moves.
        prepared = gather([pool.submit(prepare, each) for each in wanted])
        return gather([pool.submit(_move, context, found, order, listen) for found in prepared])


def _prepare(
    context: Context, wanted: Wanted, *, allow_older: bool, listen: Listener
) -> Release | Rollout | None:
    """Build what is wanted and see that it may go out.

    Returns None when it is live already, and the rollout when one of it had been left behind.
    """
    resumed = _make_way(context, wanted, listen=listen)
    if resumed is not None:
        return resumed
    release = build_release(context, wanted)
    require_consistent(context, release)
    live = context.live(release.service)
    if live is not None and live.version == release.version:
        context.say(f"{release.name} is live already")
        return None
    if live is not None and not allow_older:
        _require_newer(live, release)
    return release


def _move(
    context: Context,
    found: Release | Rollout | None,
    order: Callable[[Release], Order],
    listen: Listener,
) -> Rollout | None:
    if not isinstance(found, Release):
        return found
    return carry_out(context, found.service, lambda: order(found), listen=listen)


def _make_way(context: Context, wanted: Wanted, *, listen: Listener) -> Rollout | None:
    """Bring a rollout of the service that is under way to its end; return it if it is the wanted."""
    left = unfinished(context, wanted.service)
    if left is None:
        return None
    order = decode_order(left.order)
    if order.kind is not Kind.ROLLBACK and _is_wanted(context, wanted, left):
        context.say(f"going on with {order.subject}, whose process died")
        return take_over(context, left, listen=listen)
    if order.kind is not Kind.ROLLBACK:
        context.say(f"taking back {order.subject}, which was on its way")
    take_back(context, left, listen=listen)
    return None


def _is_wanted(context: Context, wanted: Wanted, left: Header) -> bool:
    """Whether a rollout is of the version that is wanted, and nobody carries it on."""
    if not is_free(context, left.service):
        return False
    order = decode_order(left.order)
    return not order.flag and order.candidate.version == str(version_of(context, wanted))


def require_free(context: Context, service: ServiceName, *, supersede: bool) -> None:
    """Refuse before building when a living process moves the service's traffic."""
    try:
        with leased(context, service):
            pass  # nobody has it
    except LeaseHeldError as error:
        if not supersede:
            error.hint += f"; or take it back first: deployer rollout {service} --supersede"
            raise


def require_thawed(context: Context, despite_freeze: str) -> bool:
    """Return whether there is a freeze that gives way to a reason; raise when there is none."""
    now = context.clock.now()
    found = frozen_by(context.environment.freeze, now)
    if found is None:
        return False
    window, end = found
    if despite_freeze:
        context.say(f"going out despite the freeze ({window.reason}): {despite_freeze}")
        return True
    raise ConflictError(
        "frozen",
        f"{context.environment.name} is frozen {in_words(end, now=now)}: {window.reason}",
        hint='wait, or say why it can\'t: --despite-freeze "REASON"; a rollback is never frozen',
    )


def _require_newer(live: Release, release: Release) -> None:
    if Version.parse(release.version) > Version.parse(live.version):
        return
    raise InputError(
        "older-version",
        f"{release.name} is older than the live {live.version}",
        hint=f"deployer rollback {release.service} --to {release.version}, or --allow-older",
    )
