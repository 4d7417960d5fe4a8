"""Leases: one Lease object a service, and when a lease that nobody renews is free.

A lease is free when it was given back, when its holder is a dead process of this machine, or when
it was seen here not to change for its term. That is measured with this process's own monotonic
clock, as client-go's leader election does, so that clocks that disagree cost nobody a lease.

A command that has only just started has seen nothing yet, and should not wait for a whole term:
when the time that the holder wrote last is out of date (or ahead of us, so that clocks disagree),
it watches for two heartbeats and a half, and takes what did not change. A holder that lives is
never taken for dead by that, however wrong its clock is.

After an API server was away nobody could renew. Whoever notices begins to watch anew.
"""

from __future__ import annotations

import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from deployer.cluster import Cluster, Object, ObjectChanged, ObjectExists, annotation, metadata
from deployer.ledger.cluster.places import KIND, SERVICE, Places
from deployer.ledger.holder import holder_is_gone
from deployer.ledger.protocol import Lease, LeaseHeldError, StaleFenceError
from deployer.model import Fence, ServiceName

ATTEMPT = "deployer/attempt"  # tells the winner of a race that it won, even within one process
POLL_SECONDS = 0.25
AWAY_SECONDS = 2.0  # a read that took longer was tried again: the API server was away


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """A Lease as the cluster has it. `holder` is empty when it was given back."""

    version: str
    holder: str
    fence: int
    since: float
    renewed: float
    attempt: str


NO_RECORD = LeaseRecord("", "", 0, 0.0, 0.0, "")


class Leases:
    """The leases of one environment."""

    def __init__(
        self, cluster: Cluster, places: Places, *, term_seconds: float, watch_seconds: float
    ) -> None:
        self._cluster = cluster
        self._places = places
        self._term_seconds = term_seconds
        self._watch_seconds = watch_seconds
        self._seen: dict[ServiceName, tuple[str, float]] = {}

    def await_free(self, service: ServiceName, *, now: float) -> LeaseRecord:
        """Return the record of a lease that may be taken; raise LeaseHeldError when it may not.

        Waits two heartbeats and a half when that is what it takes to know.
        """
        began, first = time.monotonic(), ""
        while True:
            record = self.read(service)
            if not record.holder or holder_is_gone(record.holder):
                return record
            unchanged = self._unchanged(service, record)
            if unchanged >= self._term_seconds:
                return record
            later = now + time.monotonic() - began
            current = -self._watch_seconds <= later - record.renewed <= self._term_seconds
            renewed = first not in {"", record.version}
            if current or renewed:
                lease = Lease(service, record.holder, Fence(record.fence), record.since)
                raise LeaseHeldError(lease, now=later)
            if unchanged >= self._watch_seconds:
                return record
            first = record.version
            time.sleep(POLL_SECONDS)

    def take(
        self, service: ServiceName, holder: str, record: LeaseRecord, *, fence: Fence, now: float
    ) -> Lease | None:
        """Write a new holder over a record that was read; None when somebody else was faster."""
        mine = LeaseRecord(record.version, holder, fence, now, now, uuid.uuid4().hex)
        try:
            self._write(service, mine)
        except (ObjectExists, ObjectChanged):
            # Perhaps by ourselves: a write whose answer was lost is sent again.
            if self.read(service).attempt != mine.attempt:
                return None
        return Lease(service, holder, fence, now)

    def renew(self, lease: Lease, *, now: float) -> None:
        """Begin another term; raise StaleFenceError when the lease is another's."""
        while True:
            record = self.require(lease)
            try:
                self._write(lease.service, replace(record, renewed=now))
            except ObjectChanged:
                continue  # taken over, or renewed by a write whose answer was lost
            return

    def release(self, lease: Lease) -> None:
        """Give the lease back, unless it is another's already."""
        while True:
            try:
                self._write(lease.service, replace(self.require(lease), holder=""))
            except ObjectChanged:
                continue
            except StaleFenceError:
                pass
            return

    def require(self, lease: Lease) -> LeaseRecord:
        """Return the record of a lease that is still ours; raise StaleFenceError when it is not."""
        record = self.read(lease.service)
        if (record.holder, record.fence) != (lease.holder, lease.fence):
            raise StaleFenceError(lease.service, lease.fence)
        return record

    def read(self, service: ServiceName) -> LeaseRecord:
        """Return the record as it is now; NO_RECORD when there has never been a lease."""
        began = time.monotonic()
        found = self._cluster.get(self._places.lease(service))
        if time.monotonic() - began > AWAY_SECONDS:
            self._seen.pop(service, None)
        return NO_RECORD if found is None else _record(found)

    def _unchanged(self, service: ServiceName, record: LeaseRecord) -> float:
        """Return for how many seconds this process has seen the record as it is."""
        now = time.monotonic()
        version, since = self._seen.get(service, ("", now))
        if version != record.version:
            self._seen[service] = (record.version, now)
            return 0.0
        return now - since

    def _write(self, service: ServiceName, record: LeaseRecord) -> None:
        body = _body(service, record, term_seconds=self._term_seconds)
        if record.version:
            self._cluster.replace(self._places.lease(service), body)
        else:
            self._cluster.create(self._places.leases(service), body)


def _record(found: Object) -> LeaseRecord:
    spec = found.get("spec") or {}
    return LeaseRecord(
        version=str(metadata(found)["resourceVersion"]),
        holder=spec.get("holderIdentity") or "",
        fence=int(spec.get("leaseTransitions") or 0),
        since=_seconds(spec.get("acquireTime")),
        renewed=_seconds(spec.get("renewTime")),
        attempt=annotation(found, ATTEMPT) or "",
    )


def _body(service: ServiceName, record: LeaseRecord, *, term_seconds: float) -> Object:
    about: Object = {
        "name": str(service),
        "labels": {KIND: "lease", SERVICE: str(service)},
        "annotations": {ATTEMPT: record.attempt},
    }
    if record.version:
        about["resourceVersion"] = record.version
    return {
        "apiVersion": "coordination.k8s.io/v1",
        "kind": "Lease",
        "metadata": about,
        "spec": {
            "holderIdentity": record.holder or None,
            "leaseDurationSeconds": max(1, round(term_seconds)),
            "leaseTransitions": record.fence,
            "acquireTime": _time(record.since),
            "renewTime": _time(record.renewed),
        },
    }


def _time(seconds: float) -> str:
    moment = datetime.fromtimestamp(seconds, tz=UTC)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def _seconds(text: str | None) -> float:
    return datetime.fromisoformat(text).timestamp() if text else 0.0
