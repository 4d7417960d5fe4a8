"""The bulletin: what a rollout's changes are called in a cluster's own Events.

A listener like the one that shows a rollout on the terminal. The sentences are those of `why`.
"""

from __future__ import annotations

from deployer.analysis import VerdictKind
from deployer.commands.context import Context
from deployer.driver import Listener
from deployer.engine import (
    AbortRequested,
    ContinueRequested,
    Done,
    Event,
    Failed,
    HurryRequested,
    Looked,
    Order,
    PauseRequested,
    Phase,
    PromoteRequested,
    Rollout,
    begin_rollout,
)
from deployer.ledger.cluster import Notice, NoticeBoard, route
from deployer.model import ServiceName
from deployer.targets.kubernetes.names import Names

FLUSH_SECONDS = 2.0  # a command that ends takes its threads with it: the last notice should be out
_MOVED = {Phase.SHIFTING, Phase.RETURNING, Phase.EASING}
_ENDS = {
    Phase.PROMOTED: ("Promoted", False),
    Phase.ROLLED_BACK: ("RolledBack", True),
    Phase.FAILED: ("RolloutFailed", True),
}
_WISHES: dict[type[Event], tuple[str, str]] = {
    AbortRequested: ("AbortRequested", "is to go back"),
    PromoteRequested: ("PromoteRequested", "is good enough"),
    PauseRequested: ("PauseRequested", "is to stay where it is"),
    ContinueRequested: ("ContinueRequested", "is to go on"),
    HurryRequested: ("HurryRequested", "is to go back at once"),
}


def bulletin_of(context: Context, service: ServiceName) -> Listener:
    """Return what tells of a service's rollout in the cluster where it happens."""
    namespace = Names.of(context.environment).namespace(service)
    return bulletin(NoticeBoard(context.cluster, route(namespace, service)))


def bulletin(board: NoticeBoard) -> Listener:
    """Return a listener that puts what a rollout does on a board."""
    last: list[Rollout] = []

    def listen(state: Rollout, event: Event | None) -> None:
        before = last[0] if last else None
        last[:] = [state]
        for notice in notices_of(before, state, event):
            board.put(notice)
        if state.over:
            board.flush(seconds=FLUSH_SECONDS)

    return listen


def notices_of(before: Rollout | None, state: Rollout, event: Event | None) -> tuple[Notice, ...]:
    """Return what is worth telling of a change; `before` is None for the first state heard of."""
    if before is None or event is None:
        return (_beginning(state),)
    notices = (_cause(before, state, event), _movement(before, state, event), _end(state))
    return tuple(notice for notice in notices if notice is not None)


def _beginning(state: Rollout) -> Notice:
    order = state.order
    live = order.live.version if order.live else "nothing"
    if state == begin_rollout(order):
        words = f"{order.kind} of {order.subject} over {live}, by {order.strategy}"
        return Notice("RolloutStarted", f"{words}, begins in slot {order.candidate_slot}")
    return Notice("RolloutResumed", f"{order.subject} goes on: {_place(state)}")


def _cause(before: Rollout, state: Rollout, event: Event) -> Notice | None:
    """Say what made the rollout go another way, if it did."""
    name = state.order.subject
    match event:
        case Looked():
            return _verdict(before, state)
        case Failed(cause=cause):
            return Notice("ActionFailed", f"{name}, {before.phase}: {cause}", warning=True)
        case Done():
            return None
        case _ if type(event) in _WISHES:
            reason, words = _WISHES[type(event)]
            asked = f"{event.by} says that {name} {words}"  # type: ignore[union-attr]
            why = f": {event.why}" if isinstance(event, AbortRequested) else ""
            return Notice(reason, asked + why, warning=isinstance(event, AbortRequested))
    return None


def _verdict(before: Rollout, state: Rollout) -> Notice | None:
    verdict, earlier = state.verdict, before.verdict
    if verdict is None or (earlier is not None and earlier.kind is verdict.kind):
        return None
    told = {
        VerdictKind.FAIL: ("VerdictFailed", True),
        VerdictKind.HOLD: ("VerdictHeld", True),
        VerdictKind.BLIND: ("VerdictBlind", True),
        VerdictKind.PASS: ("VerdictPassed", False),
    }.get(verdict.kind)
    if told is None:
        return None
    name = state.order.subject
    return Notice(told[0], f"{name}, {before.weight} %: {verdict.reason}", warning=told[1])


def _movement(before: Rollout, state: Rollout, event: Event) -> Notice | None:
    """Say that the router was seen to have moved traffic."""
    if not isinstance(event, Done) or before.phase not in _MOVED or event.phase != before.phase:
        return None
    order: Order = state.order
    what = "callers" if order.flag else "traffic"
    return Notice("WeightShifted", f"{order.subject} gets {before.weight} % of the {what}")


def _end(state: Rollout) -> Notice | None:
    if not state.over:
        return None
    reason, warning = _ENDS[state.phase]
    cause = f": {state.cause}" if state.cause else ""
    return Notice(reason, f"{state.order.subject} {state.phase}{cause}", warning=warning)


def _place(state: Rollout) -> str:
    return f"{state.phase}, step {state.step_index + 1} of {len(state.order.plan)}"
