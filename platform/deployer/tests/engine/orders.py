"""Orders for the engine's tests, and a walk through their rollouts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from deployer.analysis import Counts, Limits, Look
from deployer.engine import (
    Action,
    Done,
    Event,
    Hook,
    Kind,
    Looked,
    Order,
    Phase,
    Plan,
    Point,
    Rollout,
    TakeLook,
    advance,
    begin_rollout,
    canary,
    pending,
)
from deployer.model import Release, ServiceName, Slot

PRODUCT = ServiceName("product")
OLD = Release(PRODUCT, "1.0.0", "a" * 64)
NEW = Release(PRODUCT, "1.1.0", "b" * 64)
CANARY = canary(instances=2, live_instances=2, weights=(10, 25, 50, 100), hold_seconds=10.0)
HOOKS = tuple(Hook(point, command=(f"./{point}",)) for point in Point)


def order(
    *,
    kind: Kind = Kind.ROLLOUT,
    live: Release | None = OLD,
    plan: Plan = CANARY,
    standby_seconds: float = 600.0,
    monitor_seconds: float = 0.0,
    hooks: tuple[Hook, ...] = (),
) -> Order:
    return Order(
        service=PRODUCT,
        kind=kind,
        candidate=NEW,
        candidate_slot=Slot.GREEN if live else Slot.BLUE,
        live=live,
        live_instances=2,
        plan=plan,
        limits=Limits(),
        planned_requests=10_000.0,
        patience_seconds=60.0,
        standby_seconds=standby_seconds,
        started_at=0.0,
        monitor_seconds=monitor_seconds,
        hooks=hooks,
        ease_weights=(50, 25, 10),
        ease_seconds=60.0,
    )


def healthy(at: float, requests: int = 400) -> Looked:
    return Looked(at, Look(at=at, candidate=Counts(requests), live=Counts(requests)))


def failing(at: float, failed: int = 200) -> Looked:
    return Looked(at, Look(at=at, candidate=Counts(400, failed), live=Counts(400)))


def walk(
    state: Rollout, *, until: Phase, look: Callable[[float], Event] = healthy
) -> tuple[Rollout, list[Action]]:
    """Let every action succeed until a phase is reached; return the actions on the way."""
    at, done = state.changed_at, []
    while state.phase is not until:
        (action,) = pending(state)
        done.append(action)
        at += 11.0
        event: Event = look(at) if isinstance(action, TakeLook) else Done(at, state.phase)
        state, _ = advance(state, event)
        assert len(done) < 200
    return state, done


def walked(until: Phase, wanted: Order | None = None) -> Rollout:
    """Return a rollout that has come to a phase with nothing wrong on the way."""
    state, _ = walk(begin_rollout(wanted or order()), until=until)
    return state


def all_of(actions: list[Action], kind: type[Action]) -> list[Action]:
    """Return the actions of one kind, in their order."""
    return [action for action in actions if isinstance(action, kind)]


def at_step(state: Rollout, index: int) -> Rollout:
    """Return the rollout as it is when it watches another step of its plan."""
    return replace(state, step_index=index, weight=state.order.plan[index].weight)
