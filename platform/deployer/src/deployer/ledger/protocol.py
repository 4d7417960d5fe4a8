"""What the driver asks of a ledger: append-only events, one lease a service, and requests.

The ledger knows no event type of the engine: an event is a kind and a JSON body. What it guarantees
is order, durability before `append` returns, and that a holder whose lease was taken over can't
write any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from deployer.errors import ConflictError
from deployer.model import Fence, RolloutId, ServiceName


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to move one service's traffic. `fence` grows with every holder."""

    service: ServiceName
    holder: str
    fence: Fence
    since: float


@dataclass(frozen=True, slots=True)
class Entry:
    """One event of a rollout: when, what kind, its JSON body, and where it left the rollout.

    `headline` is not read when a rollout is resumed; a replay is held to it.
    """

    at: float
    kind: str
    body: str
    headline: str


@dataclass(frozen=True, slots=True)
class Header:
    """A rollout as the ledger lists it. `outcome` is None while it is on its way.

    `summary` is its last headline once the events are no longer kept; empty while they are.
    """

    id: RolloutId
    service: ServiceName
    order: str
    started_at: float
    finished_at: float | None
    outcome: str | None
    summary: str = ""


class Verb(StrEnum):
    """What another process may ask the holder of a rollout for."""

    ABORT = "abort"
    ABORT_GRADUALLY = "abort-gradually"
    PROMOTE = "promote"
    PAUSE = "pause"
    CONTINUE = "continue"
    HURRY = "hurry"


@dataclass(frozen=True, slots=True)
class Request:
    """A wish of another process. `number` is the ledger's own, once it waits."""

    at: float
    verb: Verb
    by: str
    why: str
    number: int | None = field(default=None, compare=False)


class LeaseHeldError(ConflictError):
    """Somebody else moves this service's traffic at the moment."""

    def __init__(self, lease: Lease, *, now: float) -> None:
        service, age = lease.service, max(0.0, now - lease.since)
        super().__init__(
            "rollout-running",
            f"a rollout of {service} is running: held by {lease.holder} since {age:.0f} s ago",
            hint=f"follow it: deployer status --watch; stop it: deployer abort {service}",
        )
        self.lease = lease


class StaleFenceError(ConflictError):
    """This holder's lease was taken over; whatever it still wanted to write is refused."""

    def __init__(self, service: ServiceName, fence: Fence) -> None:
        super().__init__(
            "lease-lost",
            f"the lease on {service} (number {fence}) was taken over by another process",
            hint=f"see what it did: deployer why {service}",
        )


class Ledger(Protocol):
    """An environment's record of every rollout. Every method may raise OperationError."""

    def acquire(self, service: ServiceName, holder: str, *, now: float) -> Lease:
        """Take the lease, or raise LeaseHeldError while a living holder has it."""
        ...

    def renew(self, lease: Lease, *, now: float) -> None:
        """Keep the lease for another term; raise StaleFenceError when it is gone."""
        ...

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens when it is gone already."""
        ...

    def begin(self, lease: Lease, order: str, *, now: float) -> RolloutId:
        """Record a new rollout of the lease's service."""
        ...

    def append(
        self, lease: Lease, rollout: RolloutId, entry: Entry, *, answers: Sequence[Request] = ()
    ) -> None:
        """Write an event, durably; raise StaleFenceError when the lease is gone.

        The wishes that it answers stop waiting in the same write: a process that dies between a
        wish and its event leaves the wish to the next one.
        """
        ...

    def finish(self, lease: Lease, rollout: RolloutId, outcome: str, *, now: float) -> None:
        """Close a rollout with its outcome."""
        ...

    def entries(self, service: ServiceName, rollout: RolloutId) -> tuple[Entry, ...]:
        """Return a rollout's events in the order they were written; none when only its header is kept."""
        ...

    def history(self, service: ServiceName, *, limit: int = 50) -> tuple[Header, ...]:
        """Return a service's rollouts, newest first. How many are kept is the ledger's own affair."""
        ...

    def request(self, service: ServiceName, rollout: RolloutId, request: Request) -> None:
        """Leave a wish for whoever holds the rollout."""
        ...

    def has_requests(self, service: ServiceName, rollout: RolloutId) -> bool:
        """Whether a wish waits; cheap enough to ask ten times a second."""
        ...

    def requests(self, service: ServiceName, rollout: RolloutId) -> tuple[Request, ...]:
        """Return the wishes that wait for an answer, oldest first."""
        ...
