"""The way back: what follows when a rollout turns around.

It asks only the old slot whether it can take the load, moves the traffic, and then sees to the rest:
who is live, the candidate's end, a last smoke check. What can't be done is tried again; the traffic
moves even when the guard has given up, since a part of the old slot is better than a bad release.
"""

from __future__ import annotations

from dataclasses import replace

from deployer.engine.events import Failed
from deployer.engine.rollout import Phase, Point, Rollout

# How often an action is tried before the way back goes on without it or a person has to look: with
# the driver's pause of a second between tries twenty ride out a router or database restart. The
# guard's own waits are long, and what it waits for need not be whole.
ATTEMPTS = 20
ATTEMPTS_OF_THE_GUARD = 5


def turn_back(state: Rollout, at: float, cause: str, *, gradual: bool = False) -> Rollout:
    """Return the state that begins the way back; a first deployment has nowhere to go back to."""
    first = Phase.RETIRING if state.order.live is None else Phase.GUARDING
    return replace(enter(state, first, at), cause=cause, gradual=gradual)


def done_on_the_way_back(state: Rollout, at: float) -> Rollout:
    """Return what follows an action of the way back that succeeded."""
    match state.phase:
        case Phase.GUARDING | Phase.EASING:
            return _return_some(state, at)
        case Phase.RETURNING if state.weight:
            return enter(state, Phase.EASING, at)
        case Phase.RETURNING if state.promoted:
            return enter(state, Phase.RESTORING, at)
        case Phase.RETURNING | Phase.RESTORING:
            return enter(state, Phase.RETIRING, at)
        case Phase.RETIRING if state.order.live is None:
            return enter(state, Phase.FAILED, at)
        case Phase.RETIRING:
            return enter(state, Phase.CONFIRMING, at)
        case Phase.CONFIRMING:
            return _report(replace(state, calling=Point.AFTER_ROLLBACK, called=0), at)
        case _:
            return _report(replace(state, called=state.called + 1), at)


def failed_on_the_way_back(state: Rollout, event: Failed) -> Rollout:
    """Return what follows an action of the way back that failed: once more, or the next best."""
    if state.phase is Phase.REPORTING:  # the traffic is back: a hook that fails changes nothing
        return done_on_the_way_back(state, event.at)
    allowed = ATTEMPTS_OF_THE_GUARD if state.phase is Phase.GUARDING else ATTEMPTS
    if state.attempts + 1 < allowed:
        return replace(state, attempts=state.attempts + 1)
    if state.phase is Phase.GUARDING:
        return _return_some(replace(state, gradual=False), event.at)
    if state.phase is Phase.RETIRING and state.order.live is not None:
        return enter(state, Phase.CONFIRMING, event.at)
    return replace(enter(state, Phase.FAILED, event.at), cause=f"{state.cause}; then {event.cause}")


def hurry(state: Rollout, at: float) -> Rollout:
    """Return a gradual way back that is gradual no longer."""
    state = replace(state, gradual=False)
    return _return_some(state, at) if state.phase is Phase.EASING else state


def enter(state: Rollout, phase: Phase, at: float) -> Rollout:
    """Return the state in another phase, its first try before it."""
    return replace(state, phase=phase, changed_at=at, attempts=0)


def _return_some(state: Rollout, at: float) -> Rollout:
    lower = [weight for weight in state.order.ease_weights if weight < state.weight]
    weight = lower[0] if state.gradual and lower else 0
    return replace(enter(state, Phase.RETURNING, at), weight=weight)


def _report(state: Rollout, at: float) -> Rollout:
    hooks = state.order.hooks_at(Point.AFTER_ROLLBACK)
    return enter(state, Phase.REPORTING if state.called < len(hooks) else Phase.ROLLED_BACK, at)
