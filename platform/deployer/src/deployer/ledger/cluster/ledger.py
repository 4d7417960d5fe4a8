"""ClusterLedger: the Ledger protocol on the objects of a cluster."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from deployer.cluster import Cluster
from deployer.ledger.cluster.index import Index, Indexes
from deployer.ledger.cluster.leases import Leases
from deployer.ledger.cluster.places import Places
from deployer.ledger.cluster.records import Records
from deployer.ledger.cluster.wishes import Wishes
from deployer.ledger.holder import LEASE_SECONDS
from deployer.ledger.protocol import Entry, Header, Lease, Request, StaleFenceError
from deployer.model import Fence, RolloutId, ServiceName

WATCH_SECONDS = 5.0  # two heartbeats of a holder and a half


class ClusterLedger:
    """A Ledger in a cluster, for any number of threads, processes and machines.

    Numbers count per service. `namespace` says where a service's objects are. A lease lapses when
    it is not renewed for `lease_seconds`; `watch_seconds` is how long a process that has only just
    begun to look makes sure that nobody renews one whose time is over.
    """

    def __init__(
        self,
        cluster: Cluster,
        namespace: Callable[[ServiceName], str],
        *,
        lease_seconds: float = LEASE_SECONDS,
        watch_seconds: float = WATCH_SECONDS,
    ) -> None:
        places = Places(namespace)
        self._leases = Leases(
            cluster, places, term_seconds=lease_seconds, watch_seconds=watch_seconds
        )
        self._indexes = Indexes(cluster, places)
        self._records = Records(cluster, places)
        self._wishes = Wishes(cluster, places, self._records)

    def acquire(self, service: ServiceName, holder: str, *, now: float) -> Lease:
        """Take the lease, or raise LeaseHeldError while a living holder has it.

        When it returns, no older holder can write any more: not the list, not the rollout.
        """
        while True:
            record = self._leases.await_free(service, now=now)
            # The list's fence too: somebody may have deleted the lease, and numbers only ever grow.
            fence = Fence(max(record.fence, self._indexes.read(service).fence) + 1)
            lease = self._leases.take(service, holder, record, fence=fence, now=now)
            if lease is None:
                continue  # somebody was faster
            try:
                self._shut_out(lease)
            except StaleFenceError:
                continue  # and somebody took it from us again
            return lease

    def renew(self, lease: Lease, *, now: float) -> None:
        """Keep the lease for another term; raise StaleFenceError when it is gone.

        A lease that lapsed and that nobody took is kept: an API server that was away for longer
        than a term ends no rollout.
        """
        self._leases.renew(lease, now=now)

    def release(self, lease: Lease) -> None:
        """Give the lease back; nothing happens when it is gone already."""
        self._records.forget(lease.service)
        self._leases.release(lease)

    def begin(self, lease: Lease, order: str, *, now: float) -> RolloutId:
        """Record a new rollout of the lease's service, and reduce what has become old."""
        self._leases.require(lease)
        for row in self._indexes.read(lease.service).outdated:
            self._records.drop(lease.service, RolloutId(row.id))

        def change(index: Index) -> Index:
            newest = index.rows[0] if index.rows else None
            begun = newest and (newest.order, newest.started_at, newest.outcome)
            return index if begun == (order, now, None) else index.begun(order, now=now)

        rollout = RolloutId(self._indexes.update(lease, change).rows[0].id)
        self._records.fence(lease, rollout)
        return rollout

    def append(
        self, lease: Lease, rollout: RolloutId, entry: Entry, *, answers: Sequence[Request] = ()
    ) -> None:
        """Write an event, durably, and take the wishes it answers; raise StaleFenceError."""
        numbers = [each.number for each in answers if each.number is not None]
        self._records.append(lease, rollout, entry, numbers)
        if answers:
            self._wishes.forget(lease.service, rollout)

    def finish(self, lease: Lease, rollout: RolloutId, outcome: str, *, now: float) -> None:
        """Close a rollout with its outcome."""
        self._leases.require(lease)
        headline = self._records.headline(lease.service, rollout)
        self._indexes.update(
            lease, lambda index: index.finished(rollout, outcome, headline=headline, now=now)
        )
        self._records.label(lease.service, rollout, outcome)

    def entries(self, service: ServiceName, rollout: RolloutId) -> tuple[Entry, ...]:
        """Return a rollout's events in the order they were written; none when it was reduced.

        Raises OperationError `ledger-damaged` when somebody deleted a part of them.
        """
        return self._records.entries(service, rollout)

    def history(self, service: ServiceName, *, limit: int = 50) -> tuple[Header, ...]:
        """Return a service's rollouts, newest first: at most 200."""
        rows = self._indexes.read(service).rows[:limit]
        return tuple(row.header(service) for row in rows)

    def request(self, service: ServiceName, rollout: RolloutId, request: Request) -> None:
        """Leave a wish for whoever holds the rollout."""
        self._wishes.leave(service, rollout, request)

    def has_requests(self, service: ServiceName, rollout: RolloutId) -> bool:
        """Whether a wish waits; asks the cluster ten times a second at most."""
        return self._wishes.any(service, rollout)

    def requests(self, service: ServiceName, rollout: RolloutId) -> tuple[Request, ...]:
        """Return the wishes that wait for an answer, oldest first."""
        return self._wishes.waiting(service, rollout)

    def _shut_out(self, lease: Lease) -> None:
        """Have whoever held the lease before write nothing any more."""
        for row in self._indexes.fence(lease).unfinished:
            self._records.fence(lease, RolloutId(row.id))
