"""`flag`: a flag goes out to more and more callers under the same analysis as a release, or is set by hand.

Both are rollouts of the service: under its lease, in its ledger, told by `why`. Its release is left alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from deployer.commands.context import Context
from deployer.commands.definitions import flags_of
from deployer.commands.observer import measure_rate
from deployer.commands.orders import carry_out, moved_by, not_installed, planned_requests
from deployer.commands.policy import limits_of, policy_of
from deployer.commands.rollout import require_thawed
from deployer.driver import Listener, unheard
from deployer.engine import Kind, Order, Plan, PlanError, Rollout, exposure, setting
from deployer.errors import InputError
from deployer.flags import Flags
from deployer.metrics import Told, counts_by_variant, expiry_by_flag
from deployer.model import ServiceName

OFF, ALL = 0, 100


@dataclass(frozen=True, slots=True)
class FlagLine:
    """A flag in an environment: the share of callers that gets the variant, in percent, and what was seen.

    `requests` are those that met the flag in the instances that run, by the variant they got.
    """

    service: ServiceName
    flag: str
    variant: str
    share: int
    requests: dict[str, int]
    remarks: tuple[str, ...]


def list_flags(context: Context, services: Sequence[ServiceName]) -> tuple[FlagLine, ...]:
    """Look at the flags of services: how far each is out, and which of them nobody needs any more."""
    return tuple(line for service in services for line in _lines(context, service))


def set_flag(
    context: Context,
    service: ServiceName,
    flag: str,
    *,
    share: int,
    variant: str | None = None,
    listen: Listener = unheard,
) -> Rollout:
    """Give a variant to a share of the callers, in percent, at once and without analysis.

    Raises InputError for a flag, a variant or a share that can't be, LeaseHeldError while a rollout runs.
    """
    plan = _checked(lambda: setting(share))
    return _carry_out(context, service, flag, variant, plan, monitor_seconds=0.0, listen=listen)


def roll_out_flag(
    context: Context,
    service: ServiceName,
    flag: str,
    *,
    shares: tuple[int, ...],
    variant: str | None = None,
    hold_seconds: float | None = None,
    despite_freeze: str = "",
    listen: Listener = unheard,
) -> Rollout:
    """Raise the share of callers with a variant step by step; switch it off when they fare worse.

    What failed and was slow is compared between those with the variant and all others, over the same
    seconds. Raises as `set_flag`, and ConflictError in a freeze.
    """
    if not require_thawed(context, despite_freeze):
        despite_freeze = ""
    policy = policy_of(context, service)
    hold = policy.hold_seconds if hold_seconds is None else hold_seconds
    plan = plan_of_flag(shares, hold_seconds=hold)
    monitor = policy.monitor_seconds if hold_seconds is None else hold_seconds
    return _carry_out(
        context,
        service,
        flag,
        variant,
        plan,
        monitor_seconds=monitor,
        despite_freeze=despite_freeze,
        listen=listen,
    )


def plan_of_flag(shares: tuple[int, ...], *, hold_seconds: float) -> Plan:
    """Return the plan of a flag's rollout; raise InputError `shares-broken` for one that can't be."""
    return _checked(lambda: exposure(shares=shares, hold_seconds=hold_seconds))


def describe_flag(
    context: Context, service: ServiceName, flag: str, *, plan: Plan, variant: str | None
) -> str:
    """Say what a change of a flag would do."""
    flags = flags_of(context, service)
    chosen = flags.treatment(flag, variant)
    flags.with_share(flag, chosen, plan[-1].weight)
    shares = ", ".join(f"{step.weight} %" for step in plan)
    return (
        f"would give {chosen} of flag {flag} of {service} to {shares} of the callers;"
        f" now {flags.share(flag, chosen)} %"
    )


def _carry_out(  # what a flag's order is made of
    context: Context,
    service: ServiceName,
    flag: str,
    variant: str | None,
    plan: Plan,
    *,
    monitor_seconds: float,
    listen: Listener,
    despite_freeze: str = "",
) -> Rollout:
    flags = flags_of(context, service)
    chosen = flags.treatment(flag, variant)
    flags.with_share(flag, chosen, plan[0].weight)  # refuses before anything is begun

    def order() -> Order:
        return _order(
            context, service, flag, chosen, plan, monitor_seconds, despite_freeze=despite_freeze
        )

    return carry_out(context, service, order, listen=listen)


def _order(
    context: Context,
    service: ServiceName,
    flag: str,
    variant: str,
    plan: Plan,
    monitor_seconds: float,
    *,
    despite_freeze: str,
) -> Order:
    serving = context.target.situation(service, ask=False).serving
    if serving is None:
        raise not_installed(service)
    policy = policy_of(context, service)
    order = Order(
        service=service,
        kind=Kind.FLAG,
        candidate=serving.release,
        candidate_slot=serving.slot,
        live=serving.release,
        live_instances=1,
        plan=plan,
        limits=limits_of(context),
        planned_requests=0.0,
        patience_seconds=policy.patience_seconds,
        standby_seconds=0.0,
        started_at=context.clock.now(),
        monitor_seconds=monitor_seconds,
        despite_freeze=despite_freeze,
        flag=flag,
        variant=variant,
    )
    if not monitor_seconds:
        return order
    rate = measure_rate(moved_by(context, order), service)
    return replace(order, planned_requests=planned_requests(plan, monitor_seconds, rate=rate))


def _checked(make: Callable[[], Plan]) -> Plan:
    try:
        return make()
    except PlanError as error:
        raise InputError(
            "shares-broken", str(error), hint="say percentages that rise: --steps 10,50,100"
        ) from error


def _lines(context: Context, service: ServiceName) -> Iterator[FlagLine]:
    try:
        flags = flags_of(context, service)
    except InputError as error:
        if error.code != "flags-missing":
            raise
        return
    pages = [
        page.text for page in context.target.pages(service).values() if page.told is Told.ANSWERED
    ]
    expires = {flag: day for page in pages for flag, day in expiry_by_flag(page).items()}
    today = datetime.fromtimestamp(context.clock.now(), tz=UTC).date()
    for key in flags.keys:
        variant = flags.usual_treatment(key)
        share = flags.share(key, variant)
        requests = _requests(pages, key)
        remarks = _remarks(flags, key, share, expires.get(key), requests, today=today)
        yield FlagLine(service, key, variant, share, requests, remarks if pages else ())


def _requests(pages: Sequence[str], flag: str) -> dict[str, int]:
    found: Counter[str] = Counter()
    for page in pages:
        found.update({name: seen.requests for name, seen in counts_by_variant(page, flag).items()})
    return dict(sorted(found.items()))


def _remarks(
    flags: Flags,
    key: str,
    share: int,
    day: date | None,
    requests: Mapping[str, int],
    *,
    today: date,
) -> tuple[str, ...]:
    return tuple(
        text
        for said, text in (
            (day is None, "undeclared: no release that runs asks it"),
            (day is not None and day <= today, f"expired: it was to be gone by {day}"),
            (share in {OFF, ALL} and not flags.ruled(key), "constant: everybody gets the same"),
            (not sum(requests.values()), "unused: no request met it"),
        )
        if said
    )
