"""Makes orders: which slot, which plan, what to expect; and runs them under a lease."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deployer.analysis import Limits
from deployer.commands.context import Context
from deployer.commands.observer import ScrapeObserver, measure_rate
from deployer.driver import Driver, Listener, encode, encode_order, read_rollout
from deployer.engine import (
    Kind,
    Order,
    Plan,
    Resumed,
    Rollout,
    advance,
    begin_rollout,
    canary,
    switch,
)
from deployer.errors import InputError
from deployer.ledger import Header, Lease, Request
from deployer.ledger.file import this_holder
from deployer.model import Release, ServiceName, Slot

# The sequential test spreads its alarm budget over the requests that a rollout is expected to see;
# below this many a single unlucky burst would weigh too much.
FEWEST_PLANNED_REQUESTS = 1000.0
# A step may last longer than its hold, until enough requests were seen.
PLANNED_MARGIN = 3.0


def limits_of(context: Context) -> Limits:
    """Return the limits of the environment's policy."""
    policy = context.environment.limits
    return Limits(
        error_share=policy.error_share,
        slow_share=policy.slow_share,
        slow_seconds=policy.slow_seconds,
        health_failures=policy.health_failures,
        resource_share=policy.resource_share,
    )


def plan_of(context: Context) -> Plan:
    """Return the plan of a rollout under the environment's policy."""
    policy = context.environment.rollout
    return canary(
        instances=policy.instances, weights=policy.weights, hold_seconds=policy.hold_seconds
    )


def order_rollout(context: Context, release: Release) -> Order:
    """Return the order that moves traffic to a new release, or installs the first."""
    record = context.target.records.read(release.service)
    if record.live is None:
        return _order(context, Kind.INSTALL, release, None, switch_plan(context))
    return _order(context, Kind.ROLLOUT, release, record.live, plan_of(context))


def order_rollback(context: Context, release: Release) -> Order:
    """Return the order that moves all traffic back to a release at once."""
    live = context.target.records.read(release.service).live
    if live is None:
        raise not_installed(release.service)
    return _order(context, Kind.ROLLBACK, release, live, switch_plan(context))


def switch_plan(context: Context) -> Plan:
    """Return the plan of a first deployment or an immediate rollback."""
    return switch(instances=context.environment.rollout.instances)


def not_installed(service: ServiceName) -> InputError:
    """Return the error for a service that was never brought up."""
    return InputError("not-installed", f"{service} was never brought up here", hint="deployer up")


def interrupted(left: Header) -> InputError:
    """Return the error for a rollout whose holder died."""
    service = left.service
    return InputError(
        "rollout-interrupted",
        f"a rollout of {service} was interrupted (number {left.id})",
        hint=f"deployer resume {service}, or take it back: deployer rollback {service}",
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
        return _driver(context, listen).run(lease, rollout_id, begin_rollout(order))


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
        context.ledger.append(lease, header.id, encode(resumed))
        state, _ = advance(state, resumed)
        if asking is not None:
            context.ledger.request(header.id, asking)
        return _driver(context, listen).run(lease, header.id, state)


def _driver(context: Context, listen: Listener) -> Driver:
    return Driver(
        target=context.target,
        ledger=context.ledger,
        observer=ScrapeObserver(context.target),
        clock=context.clock,
        look_seconds=context.environment.rollout.look_seconds,
        listen=listen,
    )


def _order(context: Context, kind: Kind, release: Release, live: Slot | None, plan: Plan) -> Order:
    policy = context.environment.rollout
    held = context.target.records.read(release.service).slot(live) if live else None
    return Order(
        service=release.service,
        kind=kind,
        candidate=release,
        candidate_slot=live.other if live else Slot.BLUE,
        live=held.release if held else None,
        live_instances=held.wanted if held else policy.instances,
        plan=plan,
        limits=limits_of(context),
        # Only a rollout is analysed: a way back must not wait for a sample of the traffic.
        planned_requests=planned_requests(plan, rate=measure_rate(context.target, release.service))
        if kind is Kind.ROLLOUT
        else 0.0,
        patience_seconds=policy.patience_seconds,
        standby_seconds=policy.standby_seconds if kind is Kind.ROLLOUT else 0.0,
        started_at=context.clock.now(),
    )


def planned_requests(plan: Plan, *, rate: float) -> float:
    """Return what the sequential test is sized for at so many requests a second."""
    expected = sum(step.hold_seconds * step.weight / 100 for step in plan) * rate
    return max(FEWEST_PLANNED_REQUESTS, PLANNED_MARGIN * expected)
