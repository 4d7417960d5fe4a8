"""A world for the driver's tests: a target and an observer in memory, and time that obeys."""

# ruff: noqa: ARG002  # a target takes what the protocol gives it

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.orders import OLD, PRODUCT, order

from deployer.analysis import Counts, Look
from deployer.driver import Driver, encode, encode_order, read_rollout
from deployer.engine import Hook, Order, Resumed, Rollout, advance, begin_rollout, canary
from deployer.ledger import Lease, Ledger, StaleFenceError
from deployer.ledger.file import FileLedger
from deployer.ledger.holder import LEASE_SECONDS, this_holder
from deployer.ledger.memory import MemoryLedger
from deployer.model import Fence, Release, RolloutId, ServiceName, Slot
from deployer.targets import Interrupted

ELSEWHERE = "other-host:1:1.00"  # a holder that can't be looked at from here
PLAN = canary(instances=2, live_instances=2, weights=(50, 100), hold_seconds=2.0)
LOOK_SECONDS = 1.0


class Clock:
    """Time that passes when somebody sleeps. `alarms` are called once their time has come."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.slept: list[float] = []
        self.alarms: list[tuple[float, Callable[[], None]]] = []

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds
        due = [alarm for alarm in self.alarms if alarm[0] <= self.seconds]
        self.alarms = [alarm for alarm in self.alarms if alarm not in due]
        for _, ring in due:
            ring()


@dataclass
class Target:
    """One service in two slots. `faults` are raised, one a call, by the action of that name."""

    releases: dict[Slot, Release] = field(default_factory=lambda: {Slot.BLUE: OLD})
    weights: dict[Slot, int] = field(default_factory=lambda: {Slot.BLUE: 100})
    instances: dict[Slot, int] = field(default_factory=lambda: {Slot.BLUE: 2})
    live: Slot | None = Slot.BLUE
    standby_until: float | None = None
    fence: int = 0
    calls: list[str] = field(default_factory=list)
    faults: dict[str, list[Exception]] = field(default_factory=dict)
    while_scaling: Callable[[Interrupted], None] = lambda _interrupted: None

    @property
    def end(self) -> tuple[object, ...]:
        """What is left when all is done, whatever happened on the way."""
        warm = self.standby_until is not None
        return self.releases, self.weights, self.instances, self.live, warm

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        self._begin(f"migrate {phase}")
        return ("0002",)

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        self._begin(f"scale {slot} {instances}", fence)
        self.releases[slot] = release
        self.instances[slot] = instances
        self.while_scaling(interrupted)

    def smoke(self, slot: Slot, release: Release) -> None:
        self._begin(f"smoke {slot}")
        assert self.releases[slot] == release

    def shift(self, service: ServiceName, slot: Slot, weight: int, *, fence: Fence) -> None:
        self._begin(f"shift {slot} {weight}", fence)
        self.weights = {slot: weight, slot.other: 100 - weight}

    def promote(
        self, service: ServiceName, slot: Slot, *, standby_until: float | None, fence: Fence
    ) -> None:
        self._begin(f"promote {slot}", fence)
        self.live, self.standby_until = slot, standby_until

    def retire(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        self._begin(f"retire {slot}", fence)
        self.releases.pop(slot, None)
        self.weights.pop(slot, None)
        self.instances.pop(slot, None)

    def situation(self, service: ServiceName, *, ask: bool = True) -> object:
        raise AssertionError("the driver decides nothing, so it looks at nothing")

    def _begin(self, call: str, fence: Fence | None = None) -> None:
        if fence is not None and fence < self.fence:
            raise StaleFenceError(PRODUCT, fence)
        self.fence = max(self.fence, fence or 0)
        self.calls.append(call)
        waiting = self.faults.get(call.split(maxsplit=1)[0])
        if waiting:
            raise waiting.pop(0)


@dataclass
class Observer:
    """Both slots get a hundred requests a look; of the candidate's, `failed` fail."""

    failed: int = 0
    looks: int = 0

    def look(self, rollout: Rollout, *, at: float) -> Look:
        self.looks += 1
        return Look(at=at, candidate=Counts(100, self.failed), live=Counts(100))


@dataclass
class Hooks:
    """Hooks that say yes, each noted; `faults` are raised, one a call."""

    called: list[Hook] = field(default_factory=list)
    faults: list[Exception] = field(default_factory=list)

    def call(self, hook: Hook, rollout: Rollout, *, interrupted: Interrupted) -> tuple[str, ...]:
        self.called.append(hook)
        if self.faults:
            raise self.faults.pop(0)
        return (f"{hook.point}: yes",)


def rollout_order(**changes: Any) -> Order:
    """Two steps: half the traffic for two seconds, then all of it, watched for two more."""
    return order(**{"plan": PLAN, "monitor_seconds": 2.0, **changes})


class World:
    """A ledger on disk, and everything else in memory."""

    def __init__(self, folder: Path | None = None) -> None:
        self.clock = Clock()
        self.target = Target()
        self.observer = Observer()
        self.hooks = Hooks()
        # On disk where that matters; in memory where a test lives through hundreds of deaths.
        self.ledger: Ledger = FileLedger(folder / "ledger.sqlite") if folder else MemoryLedger()
        self.heard: list[Rollout] = []

    @property
    def driver(self) -> Driver:
        return Driver(
            target=self.target,  # type: ignore[arg-type]
            ledger=self.ledger,
            observer=self.observer,
            hooks=self.hooks,
            clock=self.clock,
            look_seconds=LOOK_SECONDS,
            listen=lambda state, _event: self.heard.append(state),
        )

    def lease(self, holder: str = ELSEWHERE) -> Lease:
        return self.ledger.acquire(PRODUCT, holder, now=self.clock.now())

    def begin(self, lease: Lease, wanted: Order | None = None) -> tuple[RolloutId, Rollout]:
        wanted = wanted or rollout_order()
        rollout = self.ledger.begin(lease, encode_order(wanted), now=self.clock.now())
        return rollout, begin_rollout(wanted)

    def run(self, wanted: Order | None = None) -> Rollout:
        lease = self.lease()
        return self.driver.run(lease, *self.begin(lease, wanted))

    def go_on(self) -> Rollout:
        """Replay the ledger under a new lease, as another process does after a crash."""
        self.clock.sleep(2 * LEASE_SECONDS)
        lease = self.lease(this_holder())
        (header,) = self.ledger.history(PRODUCT)
        state = read_rollout(self.ledger, header)
        resumed = Resumed(self.clock.now(), lease.holder)
        state, _ = advance(state, resumed)
        self.ledger.append(lease, header.id, encode(resumed, state.headline))
        return self.driver.run(lease, header.id, state)

    def kinds(self) -> list[str]:
        (header,) = self.ledger.history(PRODUCT)
        return [entry.kind for entry in self.ledger.entries(header.service, header.id)]
