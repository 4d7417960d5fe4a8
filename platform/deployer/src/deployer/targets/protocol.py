"""What the driver asks of a place where releases run.

Every method that changes something carries the lease's fence and refuses a number lower than the
highest it has seen (StaleFenceError), and may be called twice with the same result. A failure is an
OperationError with the cause and, where there is one, the tail of a log. `interrupted` is polled
while something is waited for; when it says yes the method raises `InterruptedWait`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from deployer.flags import Flags
from deployer.metrics import MetricsSource, Page
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.releases import Version
from deployer.workspace import Source


class InterruptedWait(Exception):  # noqa: N818  # not an error: somebody asked for something else
    """The wait was given up because a request for the rollout came in."""


Interrupted = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class InstanceStatus:
    """One running instance: where it listens, and whether it says that it is ready."""

    id: str
    pid: int
    port: int
    admin_port: int
    ready: bool


@dataclass(frozen=True, slots=True)
class SlotStatus:
    """What a slot holds, and its share of the traffic in percent."""

    slot: Slot
    release: Release
    weight: int
    wanted: int
    instances: tuple[InstanceStatus, ...]

    @property
    def ready(self) -> bool:
        """Whether as many instances are ready as are wanted, and at least one."""
        return 0 < self.wanted <= sum(instance.ready for instance in self.instances)


@dataclass(frozen=True, slots=True)
class Situation:
    """A service as it is right now. `standby_until` is when the other slot may be emptied."""

    service: ServiceName
    live: Slot | None
    slots: tuple[SlotStatus, ...]
    standby_until: float | None

    @property
    def serving(self) -> SlotStatus | None:
        """What the live slot holds, or None before the first deployment."""
        return self.of(self.live)

    def of(self, slot: Slot | None) -> SlotStatus | None:
        """Return what a slot holds, or None when it is empty."""
        return next((status for status in self.slots if status.slot is slot), None)


@dataclass(frozen=True, slots=True)
class FailedRequest:
    """A request that a release answered with 5xx, and what it logged meanwhile, line by line."""

    request_id: str
    at: float
    method: str
    route: str
    status: int
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Safeguards:
    """The parts that make a switch lossless. Only a negative control turns them off."""

    barrier: bool = True
    drain: bool = True


ALL_SAFEGUARDS = Safeguards()


class Target(Protocol):
    """A place where the releases of services run in two slots behind a router."""

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        """Bring the service's schema forward by one phase's revisions; return what was applied."""
        ...

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        """Have exactly that many ready instances of the release in the slot, and nothing else in it.

        What is too many leaves the router before it is drained and stopped. With none the slot
        stays installed: release and configuration are remembered.
        """
        ...

    def smoke(self, slot: Slot, release: Release) -> None:
        """See at every instance's own address that it answers, and as this release."""
        ...

    def shift(self, service: ServiceName, slot: Slot, weight: int, *, fence: Fence) -> None:
        """Give the slot `weight` percent and the other the rest; return when the router does it.

        Raises OperationError `slot-not-ready` rather than give traffic to a slot without a ready
        instance while the other has one. Never waits for the slot that the traffic leaves.
        """
        ...

    def promote(
        self, service: ServiceName, slot: Slot, *, standby_until: float | None, fence: Fence
    ) -> None:
        """Record the slot as the live one; the other is kept until `standby_until`."""
        ...

    def retire(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        """Drain and stop whatever is in the slot, and forget it."""
        ...

    def failing_requests(
        self, slot: Slot, release: Release, *, since: float, limit: int
    ) -> tuple[FailedRequest, ...]:
        """Return the newest requests since a time that the release failed in the slot, oldest first.

        At most `limit`, and only as far back as the logs are kept: for people, never for a verdict.
        """
        ...

    def situation(self, service: ServiceName, *, ask: bool = True) -> Situation:
        """Look at the service.

        Unless told to `ask`, no instance is waited for, and none counts as ready.
        """
        ...


class Place(Target, Protocol):
    """A target as the commands see it: what is there beside the rollouts."""

    @property
    def public_url(self) -> str:
        """The base address for customers."""
        ...

    @property
    def internal_url(self) -> str:
        """The base address for calls between services, as seen from this machine."""
        ...

    def up(self, services: Sequence[ServiceName]) -> None:
        """Have what all services need: databases, router. Nothing happens where it is there."""
        ...

    def down(self) -> None:
        """Stop everything of the environment; what it knows and its data stay."""
        ...

    def require_usable(self, services: Sequence[ServiceName]) -> None:
        """See that these services can be changed by us here, before anything is.

        Raises OperationError with what is missing: a program, a right, a Gateway.
        """
        ...

    def revert(self, release: Release, *, to: str) -> tuple[str, ...]:
        """Take back the expand revisions after `to`, by the release's own downgrades; newest first."""
        ...

    def heal(self, service: ServiceName) -> None:
        """Have run again what is recorded and does not."""
        ...

    def installed(self) -> tuple[ServiceName, ...]:
        """Return the services that were ever brought up here."""
        ...

    def tend(self, service: ServiceName) -> tuple[str, ...]:
        """Put right what somebody else changed by hand; return a sentence for each such thing."""
        ...

    def metrics(self, service: ServiceName, candidate: Slot) -> MetricsSource:
        """Return a source that reads both slots of a service."""
        ...

    def pages(self, service: ServiceName) -> Mapping[str, Page]:
        """Return the metrics pages of all the service's instances, by their addresses."""
        ...

    def flags(self, service: ServiceName) -> str | None:
        """Return the flags' file that the environment has for the service; None while it has none.

        Until then the instances decide by what their release was shipped with.
        """
        ...

    def put_flags(self, service: ServiceName, flags: Flags, *, fence: Fence) -> None:
        """Have all instances decide by these flags; return when they say that they do.

        Raises OperationError `flags-not-in-force` or `flags-not-read`.
        """
        ...


class Builds(Protocol):
    """What makes a release of a source, once.

    `standalone` is whether that needs nothing of the environment, not even that it is up.
    """

    @property
    def standalone(self) -> bool:
        """Whether releases can be built while the environment comes up."""
        ...

    def build(self, source: Source) -> Release:
        """Return the release of a source, building it if it was not built before.

        Raises OperationError `build-failed`, `install-failed`, `no-network` or `push-failed`.
        """
        ...

    def development_number(self, service: ServiceName, base: Version, content: str) -> int:
        """Return the number of a development version: the same for the same content, else the next."""
        ...
