"""`why`: each decision of a service's rollouts, with its counts, its rule, and what would change it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from deployer.analysis import what_would_change
from deployer.commands.context import Context
from deployer.commands.orders import not_installed
from deployer.driver import decode, decode_order
from deployer.engine import (
    AbortRequested,
    ContinueRequested,
    Done,
    Event,
    Failed,
    HurryRequested,
    Looked,
    PauseRequested,
    Phase,
    PromoteRequested,
    Resumed,
    Rollout,
    advance,
    begin_rollout,
)
from deployer.ledger import Header
from deployer.model import RolloutId, ServiceName

# Told even when they changed nothing: somebody asked, or something went wrong.
TOLD = (
    AbortRequested,
    PromoteRequested,
    PauseRequested,
    ContinueRequested,
    HurryRequested,
    Resumed,
    Failed,
)


@dataclass(frozen=True, slots=True)
class Decision:
    """A moment at which the rollout went another way: when, from where to where, and why.

    `at` is in seconds since the rollout began, `numbers` the figures that the rule looked at,
    `would_change` what would have led to another decision.
    """

    at: float
    before: str
    after: str
    weight: int
    rule: str
    reason: str
    numbers: tuple[tuple[str, float], ...] = ()
    would_change: str = ""


@dataclass(frozen=True, slots=True)
class Split:
    """Where the time of an automatic rollback went. Times are seconds since the rollout began.

    `fault_at`: the first request of the window that the verdict speaks of; `detected_at`: the look
    that showed it; `acted_at`: the old slot was ready and the weights were being changed;
    `converged_at`: the router was seen to send everything there.
    """

    fault_at: float | None
    detected_at: float
    acted_at: float | None
    converged_at: float | None


@dataclass(frozen=True, slots=True)
class Account:
    """A rollout told from its ledger. `split` is None unless the analysis turned it back.

    `despite_freeze` is why it went out in a freeze, empty when there was none. `summary` is where it
    ended, when that and the order are all that the ledger still keeps: then nothing was decided here.
    `flag` and `variant` are what went out where it was a flag: then both releases are the same one.
    """

    rollout: RolloutId
    service: ServiceName
    kind: str
    strategy: str
    candidate: str
    live: str | None
    outcome: str | None
    seconds: float
    decisions: tuple[Decision, ...]
    split: Split | None
    despite_freeze: str = ""
    summary: str = ""
    flag: str = ""
    variant: str = ""


@dataclass(frozen=True, slots=True)
class Turn:
    """One event with the states before and after it. `at` as in a Decision."""

    at: float
    event: Event
    before: Rollout
    after: Rollout

    @property
    def changed(self) -> bool:
        """Whether the rollout is somewhere else than before."""
        before, after = self.before, self.after
        return (before.phase, before.step_index) != (after.phase, after.step_index)

    @property
    def turned_back(self) -> bool:
        """Whether the rollout turned around here without anybody asking for it."""
        back = self.after.phase in {Phase.GUARDING, Phase.RETIRING}
        forward = self.before.phase not in {Phase.GUARDING, Phase.RETURNING, Phase.RESTORING}
        asked = isinstance(self.event, AbortRequested)
        return self.changed and back and forward and not asked


def why(context: Context, service: ServiceName, *, limit: int = 1) -> tuple[Account, ...]:
    """Tell the service's last rollouts, newest first; raise InputError `not-installed`."""
    headers = context.ledger.history(service, limit=limit)
    if not headers:
        raise not_installed(service)
    return tuple(account_of(context, header) for header in headers)


def account_of(context: Context, header: Header) -> Account:
    """Tell one rollout from its ledger."""
    order = decode_order(header.order)
    turns = tuple(turns_of(context, header))
    last = turns[-1].at if turns else 0.0
    finished = header.finished_at
    return Account(
        rollout=header.id,
        service=header.service,
        kind=order.kind,
        strategy=order.strategy,
        candidate=order.candidate.version,
        live=order.live.version if order.live else None,
        outcome=header.outcome,
        seconds=finished - header.started_at if finished else last,
        decisions=tuple(
            _decision(turn) for turn in turns if turn.changed or isinstance(turn.event, TOLD)
        ),
        split=split_of(turns),
        despite_freeze=order.despite_freeze,
        summary=header.summary,
        flag=order.flag,
        variant=order.variant,
    )


def turns_of(context: Context, header: Header) -> Iterator[Turn]:
    """Replay a rollout's ledger, event by event."""
    state = begin_rollout(decode_order(header.order))
    for entry in context.ledger.entries(header.service, header.id):
        event = decode(entry)
        before = state
        state, _ = advance(state, event)
        yield Turn(entry.at - header.started_at, event, before, state)


def split_of(turns: tuple[Turn, ...]) -> Split | None:
    """Return where the time went, if a look turned the rollout back."""
    found = [turn for turn in turns if turn.turned_back and isinstance(turn.event, Looked)]
    if not found or found[0].after.verdict is None:
        return None
    turn = found[0]
    since = dict(turn.after.verdict.numbers).get("since") if turn.after.verdict else None
    began = turn.before.order.started_at
    return Split(
        fault_at=None if since is None else since - began,
        detected_at=turn.at,
        acted_at=_done_at(turns, Phase.GUARDING),
        converged_at=_done_at(turns, Phase.RETURNING),
    )


def _done_at(turns: tuple[Turn, ...], phase: Phase) -> float | None:
    times = (t.at for t in turns if isinstance(t.event, Done) and t.before.phase is phase)
    return max(times, default=None)


def _decision(turn: Turn) -> Decision:
    before, after = turn.before, turn.after
    rule, reason, numbers = _explain(turn)
    verdict = after.verdict if isinstance(turn.event, Looked) else None
    change = what_would_change(after.analysis, verdict) if verdict else ""
    return Decision(turn.at, before.phase, after.phase, after.weight, rule, reason, numbers, change)


def _explain(turn: Turn) -> tuple[str, str, tuple[tuple[str, float], ...]]:
    match turn.event:
        case Looked() if turn.after.verdict is not None:
            verdict = turn.after.verdict
            return f"{verdict.kind}: {verdict.rule}", verdict.reason, verdict.numbers
        case Failed(cause=cause, details=details):
            return "action failed", "\n".join((cause, *details)), ()
        case AbortRequested(by=by, why=reason):
            return "asked for", f"{reason}, by {by}", ()
        case PromoteRequested(by=by):
            return "asked for", f"promoted by {by}", ()
        case PauseRequested(by=by):
            return "asked for", f"paused by {by}", ()
        case ContinueRequested(by=by):
            return "asked for", f"let on by {by}", ()
        case HurryRequested(by=by):
            return "asked for", f"hurried by {by}", ()
        case Resumed(holder=holder):
            return "resumed", f"taken over by {holder}", ()
        case Done(details=details):
            return "done", "\n".join(details), ()
        case _:
            return "done", "", ()
