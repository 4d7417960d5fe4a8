"""Orders for the engine's tests."""

from __future__ import annotations

from deployer.analysis import Limits
from deployer.engine import Kind, Order, Plan, canary
from deployer.model import Release, ServiceName, Slot

PRODUCT = ServiceName("product")
OLD = Release(PRODUCT, "1.0.0", "a" * 64)
NEW = Release(PRODUCT, "1.1.0", "b" * 64)
CANARY = canary(instances=2, weights=(10, 25, 50, 100), hold_seconds=10.0)


def order(
    *,
    kind: Kind = Kind.ROLLOUT,
    live: Release | None = OLD,
    plan: Plan = CANARY,
    standby_seconds: float = 600.0,
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
    )
