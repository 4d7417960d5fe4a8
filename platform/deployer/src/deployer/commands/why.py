"""`why`: each decision of a service's last rollout, with its counts and its rule."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.commands.context import Context
from deployer.commands.orders import not_installed
from deployer.driver import decode, decode_order
from deployer.engine import (
    AbortRequested,
    Event,
    Failed,
    Looked,
    PromoteRequested,
    Resumed,
    Rollout,
    advance,
    begin_rollout,
)
from deployer.ledger import Header
from deployer.model import RolloutId, ServiceName


@dataclass(frozen=True, slots=True)
class Decision:
    """A moment at which the rollout went another way: when, from where to where, and why.

    `at` is in seconds since the rollout began, `numbers` the figures that the rule looked at.
    """

    at: float
    before: str
    after: str
    weight: int
    rule: str
    reason: str
    numbers: tuple[tuple[str, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Account:
    """A rollout told from its ledger."""

    rollout: RolloutId
    service: ServiceName
    kind: str
    candidate: str
    live: str | None
    outcome: str | None
    seconds: float
    decisions: tuple[Decision, ...]


def why(context: Context, service: ServiceName, *, limit: int = 1) -> tuple[Account, ...]:
    """Tell the service's last rollouts, newest first."""
    headers = context.ledger.history(service, limit=limit)
    if not headers:
        raise not_installed(service)
    return tuple(_account(context, header) for header in headers)


def _account(context: Context, header: Header) -> Account:
    order = decode_order(header.order)
    state = begin_rollout(order)
    decisions = []
    last = header.started_at
    for entry in context.ledger.entries(header.id):
        event = decode(entry)
        before = state
        state, _ = advance(state, event)
        last = entry.at
        if _changed(before, state) or isinstance(event, AbortRequested | Resumed | Failed):
            decisions.append(_decision(before, state, event, at=entry.at - header.started_at))
    return Account(
        rollout=header.id,
        service=header.service,
        kind=order.kind,
        candidate=order.candidate.version,
        live=order.live.version if order.live else None,
        outcome=header.outcome,
        seconds=(header.finished_at or last) - header.started_at,
        decisions=tuple(decisions),
    )


def _changed(before: Rollout, after: Rollout) -> bool:
    return (before.phase, before.step_index) != (after.phase, after.step_index)


def _decision(before: Rollout, after: Rollout, event: Event, *, at: float) -> Decision:
    rule, reason, numbers = _explain(after, event)
    return Decision(at, before.phase, after.phase, after.weight, rule, reason, numbers)


def _explain(after: Rollout, event: Event) -> tuple[str, str, tuple[tuple[str, float], ...]]:
    match event:
        case Looked() if after.verdict is not None:
            verdict = after.verdict
            return f"{verdict.kind}: {verdict.rule}", verdict.reason, verdict.numbers
        case Failed(cause=cause, details=details):
            return "action failed", "\n".join((cause, *details)), ()
        case AbortRequested(by=by, why=reason):
            return "asked for", f"{reason}, by {by}", ()
        case PromoteRequested(by=by):
            return "asked for", f"promoted by {by}", ()
        case Resumed(holder=holder):
            return "resumed", f"taken over by {holder}", ()
        case _:
            return "done", "", ()
