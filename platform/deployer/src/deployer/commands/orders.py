"""Makes orders: which slot, which plan, what to expect; and runs them under a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployer.commands.context import Context
from deployer.commands.definitions import flags_of
from deployer.commands.hooks import ServiceHooks
from deployer.commands.observer import MetricsObserver, measure_rate
from deployer.commands.policy import (
    NO_OPTIONS,
    Options,
    hooks_of,
    limits_of,
    plan_of,
    policy_of,
    way_back_of,
)
from deployer.driver import Driver, Listener, encode, encode_order, read_rollout, unheard
from deployer.engine import (
    Event,
    Kind,
    Order,
    Phase,
    Plan,
    Point,
    Resumed,
    Rollout,
    Strategy,
    advance,
    begin_rollout,
    blue_green,
)
from deployer.environment import RolloutPolicy
from deployer.errors import InputError
from deployer.ledger import Header, Lease, LeaseHeldError, Request
from deployer.ledger.holder import this_holder
from deployer.model import Release, ServiceName, Slot
from deployer.targets import Exposure, Place

# The sequential test spreads its alarm budget over the requests that a rollout is expected to see;
# below this many a single unlucky burst would weigh too much.
FEWEST_PLANNED_REQUESTS = 1000.0
# A step may last longer than its hold, until enough requests were seen.
PLANNED_MARGIN = 3.0


def order_rollout(context: Context, release: Release, options: Options = NO_OPTIONS) -> Order:
    """Return the order that moves traffic to a new release, or installs the first.

    A live release that is not even ready is not worth a canary: all traffic goes at once, after the
    smoke check.
    """
    service = release.service
    policy = policy_of(context, service, options)
    situation = context.target.situation(service)
    live, serving = situation.live, situation.serving
    if live is None:
        plan = blue_green(instances=policy.instances, live_instances=0)
        return _order(context, Kind.INSTALL, release, None, policy, plan)
    wanted = serving.wanted if serving else policy.instances
    if serving is None or not serving.ready:
        context.say(f"{service}: what is live is not ready, so all its traffic moves at once")
        policy = policy.model_copy(update={"strategy": "blue-green"})
    plan = plan_of(policy, live_instances=wanted)
    return _order(context, Kind.ROLLOUT, release, live, policy, plan)


def order_rollback(context: Context, release: Release, *, gradually: bool = False) -> Order:
    """Return the order that moves all traffic back to a release, at once or step by step.

    Raises InputError `not-installed` when there is nothing to move.
    """
    situation = context.target.situation(release.service, ask=False)
    held = situation.serving
    if situation.live is None or held is None:
        raise not_installed(release.service)
    policy = policy_of(context, release.service)
    # What comes back takes all the load: it gets as many instances as there are now.
    policy = policy.model_copy(update={"instances": held.wanted or policy.instances})
    plan = way_back_of(policy, live_instances=held.wanted, gradually=gradually)
    return _order(context, Kind.ROLLBACK, release, situation.live, policy, plan)


def not_installed(service: ServiceName) -> InputError:
    """Return the error for a service that was never brought up."""
    return InputError("not-installed", f"{service} was never brought up here", hint="deployer up")


def interrupted(left: Header) -> InputError:
    """Return the error for a rollout whose holder died."""
    service = left.service
    return InputError(
        "rollout-interrupted",
        f"a rollout of {service} was interrupted (number {left.id})",
        hint=f"deployer resume {service}, or take it back: deployer abort {service}",
    )


def unfinished(context: Context, service: ServiceName) -> Header | None:
    """Return the service's rollout that has not come to its end, if there is one."""
    newest = context.ledger.history(service, limit=1)
    return newest[0] if newest and newest[0].outcome is None else None


@contextmanager
def leased(context: Context, service: ServiceName) -> Iterator[Lease]:
    """Hold a service's lease for a while; raise LeaseHeldError while somebody else has it."""
    lease = context.ledger.acquire(service, this_holder(), now=context.clock.now())
    try:
        yield lease
    finally:
        context.ledger.release(lease)


def is_free(context: Context, service: ServiceName) -> bool:
    """Whether no living process moves the service's traffic."""
    try:
        with leased(context, service):
            return True
    except LeaseHeldError:
        return False


def carry_out(
    context: Context, service: ServiceName, make: Callable[[], Order], *, listen: Listener
) -> Rollout:
    """Take the lease, make the order under it, and carry it to its end.

    Raises LeaseHeldError while a rollout runs, and InputError `rollout-interrupted` when one was
    left behind by a process that died.
    """
    with leased(context, service) as lease:
        left = unfinished(context, service)
        if left is not None:
            raise interrupted(left)
        order = make()
        rollout_id = context.ledger.begin(lease, encode_order(order), now=order.started_at)
        return _driver(context, order, listen).run(lease, rollout_id, begin_rollout(order))


def take_over(
    context: Context, header: Header, *, listen: Listener, asking: Request | None = None
) -> Rollout:
    """Go on with a rollout whose holder died, `asking` for something once the lease is ours.

    Returns it as it is when that holder brought it to its end meanwhile.
    """
    with leased(context, header.service) as lease:
        state = read_rollout(context.ledger, header)
        left = unfinished(context, header.service)
        if left is None or left.id != header.id:
            return state
        resumed = Resumed(context.clock.now(), lease.holder)
        state, _ = advance(state, resumed)
        context.ledger.append(lease, header.id, encode(resumed, state.headline))
        if asking is not None:
            context.ledger.request(header.service, header.id, asking)
        return _driver(context, state.order, listen).run(lease, header.id, state)


def _driver(context: Context, order: Order, listen: Listener) -> Driver:
    service = order.service
    announce = _announcer(context, service)
    target = moved_by(context, order)

    def tell(state: Rollout, event: Event | None) -> None:
        announce(state, event)
        if state.phase in {Phase.ROLLED_BACK, Phase.FAILED}:
            _report_incident(context, service)
        listen(state, event)

    return Driver(
        target=target,
        ledger=context.ledger,
        observer=MetricsObserver(target, say=context.say),
        hooks=ServiceHooks(context),
        clock=context.clock,
        look_seconds=policy_of(context, service).look_seconds,
        listen=tell,
    )


def moved_by(context: Context, order: Order) -> Place | Exposure:
    """Return what an order moves: the traffic between two slots, or callers between a flag's variants."""
    if not order.flag:
        return context.target
    return Exposure(
        context.target,
        order.flag,
        order.variant,
        flags_of=lambda service: flags_of(context, service),
    )


def _announcer(context: Context, service: ServiceName) -> Listener:
    """Return what tells others of a rollout: a cluster's Events; on one machine nobody is told."""
    if context.environment.target == "local":
        return unheard
    from deployer.commands.bulletin import bulletin_of  # noqa: PLC0415  # late: the cluster's ledger

    return bulletin_of(context, service)


def _report_incident(context: Context, service: ServiceName) -> None:
    """Write the incident file of the rollout that has just come to its end, before it is closed."""
    from deployer.commands.incident import write_incident  # noqa: PLC0415  # it needs `why`, which needs us

    (header,) = context.ledger.history(service, limit=1)
    path = write_incident(context, header)
    if path is not None:
        context.say(f"{service}: what happened is told in {path}")


def _order(
    context: Context,
    kind: Kind,
    release: Release,
    live: Slot | None,
    policy: RolloutPolicy,
    plan: Plan,
) -> Order:
    service = release.service
    held = context.target.situation(service, ask=False).of(live)
    # Only a rollout is analysed: a way back must not wait for a sample of the traffic.
    watched = kind is Kind.ROLLOUT
    hooks = hooks_of(context, service) if kind is not Kind.INSTALL else ()
    monitor_seconds = policy.monitor_seconds if watched else 0.0
    return Order(
        service=service,
        kind=kind,
        candidate=release,
        candidate_slot=live.other if live else Slot.BLUE,
        live=held.release if held else None,
        live_instances=(held.wanted if held else 0) or policy.instances,
        plan=plan,
        limits=limits_of(context),
        planned_requests=planned_requests(
            plan, monitor_seconds, rate=measure_rate(context.target, service)
        )
        if watched
        else 0.0,
        patience_seconds=policy.patience_seconds,
        standby_seconds=policy.standby_seconds if watched else 0.0,
        started_at=context.clock.now(),
        strategy=Strategy(policy.strategy),
        monitor_seconds=monitor_seconds,
        hooks=tuple(each for each in hooks if watched or each.point is Point.AFTER_ROLLBACK),
        business=context.workspace.declaration(service).business if watched else (),
        ease_weights=policy.ease_weights,
        ease_seconds=policy.ease_seconds,
    )


def planned_requests(plan: Plan, monitor_seconds: float, *, rate: float) -> float:
    """Return how many requests the candidate of a plan may see at a rate in requests/s."""
    expected = (
        sum(step.hold_seconds * step.weight / 100 for step in plan) + monitor_seconds
    ) * rate
    return max(FEWEST_PLANNED_REQUESTS, PLANNED_MARGIN * expected)
