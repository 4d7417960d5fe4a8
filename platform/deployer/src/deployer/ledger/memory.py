"""The ledger of one simulation: in memory, gone with the process, for one thread.

It makes every promise of the protocol except durability: order, leases that lapse, fences, and
requests that wait until an event answers them.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from deployer.ledger.holder import LEASE_SECONDS
from deployer.ledger.protocol import Entry, Header, Lease, LeaseHeldError, Request, StaleFenceError
from deployer.model import Fence, RolloutId, ServiceName


@dataclass(slots=True)
class _Record:
    header: Header
    entries: list[Entry] = field(default_factory=list)
    requests: list[Request] = field(default_factory=list)


class MemoryLedger:
    """A Ledger in memory. `lease_seconds` is a lease's term on the caller's clock."""

    def __init__(self, *, lease_seconds: float = LEASE_SECONDS) -> None:
        self._lease_seconds = lease_seconds
        self._leases: dict[ServiceName, Lease] = {}
        self._fences: dict[ServiceName, int] = {}
        self._expires: dict[ServiceName, float] = {}
        self._records: dict[RolloutId, _Record] = {}
        self._numbers = itertools.count(1)

    def acquire(self, service: ServiceName, holder: str, *, now: float) -> Lease:
        """Take the lease, or raise LeaseHeldError before the term of another's is over."""
        current = self._leases.get(service)
        if current is not None and self._expires[service] > now:
            raise LeaseHeldError(current, now=now)
        self._fences[service] = self._fences.get(service, 0) + 1
        lease = Lease(service, holder, Fence(self._fences[service]), now)
        self._leases[service] = lease
        self._expires[service] = now + self._lease_seconds
        return lease

    def renew(self, lease: Lease, *, now: float) -> None:
        """Keep the lease for another term; raise StaleFenceError when it is gone."""
        self._require(lease)
        self._expires[lease.service] = now + self._lease_seconds

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens when it is gone already."""
        if self._leases.get(lease.service) == lease:
            del self._leases[lease.service]

    def begin(self, lease: Lease, order: str, *, now: float) -> RolloutId:
        """Record a new rollout of the lease's service."""
        self._require(lease)
        rollout = RolloutId(len(self._records) + 1)
        self._records[rollout] = _Record(Header(rollout, lease.service, order, now, None, None))
        return rollout

    def append(
        self, lease: Lease, rollout: RolloutId, entry: Entry, *, answers: Sequence[Request] = ()
    ) -> None:
        """Keep an event, and take the wishes it answers; raise StaleFenceError."""
        self._require(lease)
        record = self._records[rollout]
        record.entries.append(entry)
        if answers:
            taken = {request.number for request in answers}
            record.requests = [each for each in record.requests if each.number not in taken]

    def finish(self, lease: Lease, rollout: RolloutId, outcome: str, *, now: float) -> None:
        """Close a rollout with its outcome."""
        self._require(lease)
        record = self._records[rollout]
        record.header = replace(record.header, finished_at=now, outcome=outcome)

    def entries(self, service: ServiceName, rollout: RolloutId) -> tuple[Entry, ...]:
        """Return a rollout's events in the order they were written."""
        del service  # numbers are the ledger's own
        return tuple(self._records[rollout].entries)

    def history(self, service: ServiceName, *, limit: int = 50) -> tuple[Header, ...]:
        """Return a service's rollouts, newest first."""
        headers = [record.header for record in reversed(self._records.values())]
        return tuple(header for header in headers if header.service == service)[:limit]

    def request(self, service: ServiceName, rollout: RolloutId, request: Request) -> None:
        """Leave a wish for whoever holds the rollout."""
        del service
        self._records[rollout].requests.append(replace(request, number=next(self._numbers)))

    def has_requests(self, service: ServiceName, rollout: RolloutId) -> bool:
        """Whether a wish waits."""
        del service
        return bool(self._records[rollout].requests)

    def requests(self, service: ServiceName, rollout: RolloutId) -> tuple[Request, ...]:
        """Return the wishes that wait for an answer, oldest first."""
        del service
        return tuple(self._records[rollout].requests)

    def _require(self, lease: Lease) -> None:
        if self._leases.get(lease.service) != lease:
            raise StaleFenceError(lease.service, lease.fence)
