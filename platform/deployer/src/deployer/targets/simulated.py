"""A target that exists only in memory, on a virtual clock: for the simulator and for tests.

It keeps the protocol's promises as the real ones do: a lower fence is refused, an action that was
done already is done at once, a route changes only after the time that a router needs. What may go
wrong with processes can be made to: instances crash, hang, or never get ready.

Whoever counts traffic gets told *before* anything changes (`before_change`), so that what was
served until then is counted under the conditions that held.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from deployer.errors import OperationError
from deployer.ledger import StaleFenceError
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.targets.clock import VirtualClock
from deployer.targets.protocol import (
    FailedRequest,
    InstanceStatus,
    Interrupted,
    InterruptedWait,
    Situation,
    SlotStatus,
)

_POLL_SECONDS = 0.5  # how often a wait asks whether it is interrupted
_PORT = 20_000  # of the first instance; nobody listens


@dataclass(frozen=True, slots=True)
class Timings:
    """How long each action takes, in seconds; about what the target `local` needs.

    An instance gets ready `start_seconds` after its start; an action waits for it for no longer
    than `ready_seconds`.
    """

    migrate_seconds: float = 1.0
    start_seconds: float = 3.0
    ready_seconds: float = 60.0
    smoke_seconds: float = 0.1
    shift_seconds: float = 0.3
    drain_seconds: float = 1.0


@dataclass(slots=True)
class _Instance:
    """One process. It answers from `ready_at` on, unless it hangs."""

    number: int
    started_at: float
    ready_at: float
    hangs: bool = False

    def answers(self, at: float) -> bool:
        return not self.hangs and self.ready_at <= at


@dataclass(slots=True)
class _Held:
    """What a slot holds."""

    release: Release
    wanted: int
    instances: list[_Instance]


@dataclass(slots=True)
class _Service:
    """One service's two slots, its route, and the highest fence that it has seen."""

    slots: dict[Slot, _Held] = field(default_factory=dict)
    live: Slot | None = None
    weights: dict[Slot, int] = field(default_factory=dict)
    standby_until: float | None = None
    fence: int = 0


def _ignore(_service: ServiceName) -> None:
    """Hear of a change, and do nothing."""


class SimulatedTarget:
    """Any number of services in two slots each, on a virtual clock.

    `changes` grows with everything that happens to a service's slots or routes: whoever has seen
    the number knows that nothing is new.
    """

    def __init__(self, clock: VirtualClock, timings: Timings | None = None) -> None:
        self.before_change: Callable[[ServiceName], None] = _ignore
        self.changes = 0
        self._clock = clock
        self._timings = timings or Timings()
        self._services: dict[ServiceName, _Service] = {}
        self._never_ready: set[str] = set()
        self._numbers = itertools.count()

    def install(self, slot: Slot, release: Release, instances: int) -> None:
        """Have a release live and ready, as if a rollout had ended long ago."""
        service = self._service(release.service)
        ready = [self._begin_instance(release, ready_in=0.0) for _ in range(instances)]
        service.slots[slot] = _Held(release, instances, ready)
        service.live, service.weights = slot, {slot: 100}
        self.changes += 1

    # What the driver asks for.

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        """Take the time of a migration: there is no schema, so nothing is applied."""
        del release, phase
        self._clock.sleep(self._timings.migrate_seconds)
        return ()

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        """Have exactly that many ready instances; raise OperationError `never-ready` after a while.

        Instances of another release go, and so do those that hang; what is too many is drained.
        """
        service = self._fenced(release.service, fence)
        held = service.slots.get(slot)
        with_release = held.instances if held and held.release == release else []
        answering = [instance for instance in with_release if not instance.hangs]
        kept, too_many = answering[:instances], answering[instances:]
        missing = instances - len(kept)
        if missing or held is None or len(kept) < len(held.instances):
            self._change(release.service)
            fresh = [self._begin_instance(release) for _ in range(missing)]
            held = service.slots[slot] = _Held(release, instances, kept + fresh)
        if too_many:
            self._clock.sleep(self._timings.drain_seconds)
        self._wait_until_ready(held, interrupted)

    def smoke(self, slot: Slot, release: Release) -> None:
        """Call every instance; raise OperationError `smoke-failed` when one does not answer."""
        self._clock.sleep(self._timings.smoke_seconds)
        held = self._service(release.service).slots.get(slot)
        if held is None or held.release != release or not self._all_answer(held):
            raise OperationError(
                "smoke-failed",
                f"{slot} does not answer as {release.name}",
                hint=f"deployer why {release.service}",
            )

    def shift(self, service: ServiceName, slot: Slot, weight: int, *, fence: Fence) -> None:
        """Change the route, once the router has had its time.

        Raises OperationError `slot-not-ready` rather than give traffic to a slot that can't take it
        while the other can.
        """
        wanted = {slot: weight, slot.other: 100 - weight}
        self._require_ready(service, wanted)
        if self._fenced(service, fence).weights == wanted:
            return
        self._clock.sleep(self._timings.shift_seconds)
        self._change(service)
        self._fenced(service, fence).weights = wanted

    def promote(
        self, service: ServiceName, slot: Slot, *, standby_until: float | None, fence: Fence
    ) -> None:
        """Record the slot as the live one."""
        found = self._fenced(service, fence)
        found.live, found.standby_until = slot, standby_until

    def retire(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        """Drain and forget the slot."""
        if slot not in self._fenced(service, fence).slots:
            return
        self._clock.sleep(self._timings.drain_seconds)
        self._change(service)
        found = self._fenced(service, fence)
        del found.slots[slot]
        found.weights.pop(slot, None)

    def situation(self, service: ServiceName, *, ask: bool = True) -> Situation:
        """Look at the service."""
        del ask  # it costs nothing here
        found = self._service(service)
        slots = tuple(
            SlotStatus(
                slot,
                held.release,
                found.weights.get(slot, 0),
                held.wanted,
                tuple(self._status(instance) for instance in held.instances),
            )
            for slot, held in sorted(found.slots.items())
        )
        return Situation(service, found.live, slots, found.standby_until)

    def failing_requests(
        self, slot: Slot, release: Release, *, since: float, limit: int
    ) -> tuple[FailedRequest, ...]:
        """Return none: requests are counted here, not kept."""
        del slot, release, since, limit
        return ()

    # What whoever counts traffic asks for.

    def weight(self, service: ServiceName, slot: Slot) -> int:
        """Return a slot's share of the traffic in percent."""
        return self._service(service).weights.get(slot, 0)

    def answering(self, service: ServiceName, slot: Slot, *, at: float) -> float:
        """Return which share of a slot's instances answers at a time; 0 when there are none."""
        held = self._service(service).slots.get(slot)
        if held is None or not held.instances:
            return 0.0
        return sum(instance.answers(at) for instance in held.instances) / len(held.instances)

    def next_ready(self, service: ServiceName, *, after: float) -> float:
        """Return when the next instance gets ready, infinity when none is about to."""
        return min(
            (each.ready_at for each in self._instances(service) if each.ready_at > after),
            default=math.inf,
        )

    def started_at(self, service: ServiceName, slot: Slot) -> float | None:
        """Return when the youngest instance of a slot was started."""
        held = self._service(service).slots.get(slot)
        return max((each.started_at for each in held.instances), default=None) if held else None

    # What can go wrong.

    def crash(self, service: ServiceName, slot: Slot, *, instances: int | None = None) -> None:
        """Kill instances, all unless told how many; each starts again by itself."""
        for instance, release in self._victims(service, slot, instances):
            instance.started_at = self._clock.now()
            instance.ready_at = instance.started_at + self._start_seconds(release)

    def hang(self, service: ServiceName, slot: Slot, *, instances: int | None = None) -> None:
        """Stop instances from answering; they stay until somebody replaces them."""
        for instance, _ in self._victims(service, slot, instances):
            instance.hangs = True

    def never_get_ready(self, release: Release) -> None:
        """From now on, no instance of the release that starts gets ready: it crash-loops."""
        self._never_ready.add(release.digest)

    def _victims(
        self, service: ServiceName, slot: Slot, instances: int | None
    ) -> Iterator[tuple[_Instance, Release]]:
        held = self._service(service).slots.get(slot)
        if held is None:
            return
        self._change(service)
        for instance in held.instances[:instances]:
            yield instance, held.release

    def _service(self, name: ServiceName) -> _Service:
        return self._services.setdefault(name, _Service())

    def _fenced(self, name: ServiceName, fence: Fence) -> _Service:
        service = self._service(name)
        if fence < service.fence:
            raise StaleFenceError(name, fence)
        service.fence = fence
        return service

    def _change(self, service: ServiceName) -> None:
        self.before_change(service)
        self.changes += 1

    def _instances(self, service: ServiceName) -> Iterator[_Instance]:
        for held in self._service(service).slots.values():
            yield from held.instances

    def _begin_instance(self, release: Release, *, ready_in: float | None = None) -> _Instance:
        now = self._clock.now()
        seconds = self._start_seconds(release) if ready_in is None else ready_in
        return _Instance(next(self._numbers), now, now + seconds)

    def _start_seconds(self, release: Release) -> float:
        return math.inf if release.digest in self._never_ready else self._timings.start_seconds

    def _require_ready(self, service: ServiceName, wanted: dict[Slot, int]) -> None:
        now = self._clock.now()
        for slot in self._service(service).slots:
            weight = wanted[slot]
            gets_some = weight > 0 and weight >= self.weight(service, slot)
            if (
                gets_some
                and not self.answering(service, slot, at=now)
                and self.answering(service, slot.other, at=now)
            ):
                raise OperationError(
                    "slot-not-ready",
                    f"no instance of {service} ({slot}) is ready to take {weight} % of the traffic",
                    hint=f"deployer why {service}",
                )

    def _all_answer(self, held: _Held) -> bool:
        now = self._clock.now()
        return all(instance.answers(now) for instance in held.instances)

    def _wait_until_ready(self, held: _Held, interrupted: Interrupted) -> None:
        deadline = self._clock.now() + self._timings.ready_seconds
        while not self._all_answer(held):
            if interrupted():
                raise InterruptedWait
            left = deadline - self._clock.now()
            if left <= 0:
                raise OperationError(
                    "never-ready",
                    f"{held.release.name} was not ready in {self._timings.ready_seconds:g} s",
                    hint=f"deployer why {held.release.service}",
                )
            self._clock.sleep(min(_POLL_SECONDS, left))

    def _status(self, instance: _Instance) -> InstanceStatus:
        number = instance.number
        ready = instance.answers(self._clock.now())
        return InstanceStatus(f"simulated-{number}", number, _PORT, _PORT, ready)
