"""Records: the events of every rollout of one environment, written by whoever holds the lease."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import replace

from deployer.cluster import Cluster, ObjectChanged, ObjectExists, metadata
from deployer.errors import OperationError
from deployer.ledger.cluster.index import FENCE
from deployer.ledger.cluster.places import (
    OUTCOME,
    ROLLOUT,
    SERVICE,
    Places,
    config_map,
    rollout_name,
)
from deployer.ledger.cluster.record import Record, blocks_of, difference, entries_of, record_of
from deployer.ledger.protocol import Entry, Lease, StaleFenceError
from deployer.model import RolloutId, ServiceName

Key = tuple[ServiceName, RolloutId]


class Records:
    """The rollouts' ConfigMaps.

    What this process writes it remembers, so that an append is one request. A rollout has one
    writer at a time; other threads may read.
    """

    def __init__(self, cluster: Cluster, places: Places) -> None:
        self._cluster = cluster
        self._places = places
        self._mine: dict[Key, Record] = {}

    def fence(self, lease: Lease, rollout: RolloutId) -> None:
        """Have no older holder write the rollout any more, and make its ConfigMap if it is missing.

        Raises StaleFenceError when a newer holder has done the same to us.
        """
        key = (lease.service, rollout)
        while True:
            record = self.read(*key)
            try:
                if record is None:
                    self._mine[key] = self._create(lease, rollout)
                    return
                self._require(lease, record)
                self._mine[key] = self._write(key, record, replace(record, fence=lease.fence))
            except (ObjectExists, ObjectChanged):
                continue
            return

    def append(
        self, lease: Lease, rollout: RolloutId, entry: Entry, answers: Iterable[int]
    ) -> None:
        """Write an event and the numbers of the wishes it answers.

        Raises StaleFenceError, and OperationError `ledger-damaged` when the ConfigMap was deleted.
        """
        key = (lease.service, rollout)
        answered, known = frozenset(answers), self._mine.get(key)
        record = known or self._read_mine(lease, rollout)
        while True:
            self._require(lease, record)
            lighter = self._lightened(lease, rollout, record) if record.overflows else record
            after = replace(lighter.appended(entry, answered), fence=lease.fence)
            try:
                self._mine[key] = self._write(key, record, after)
            except ObjectChanged:
                current = self._read_mine(lease, rollout)
                self._require(lease, current)
                if _says(current, after):  # ours: a write whose answer was lost is sent again
                    self._mine[key] = current
                    return
                record = current
                continue
            return

    def headline(self, service: ServiceName, rollout: RolloutId) -> str:
        """Return the headline of a rollout's last event."""
        record = self._mine.get((service, rollout)) or self.read(service, rollout)
        return record.headline if record else ""

    def label(self, service: ServiceName, rollout: RolloutId, outcome: str) -> None:
        """Label a rollout that is over, for people who look with kubectl."""
        self._mine.pop((service, rollout), None)
        labels = {"metadata": {"labels": {OUTCOME: outcome}}}
        self._cluster.patch(self._places.map(service, rollout_name(rollout)), labels)

    def read(self, service: ServiceName, rollout: RolloutId) -> Record | None:
        """Return a rollout's ConfigMap, or None when it has none."""
        found = self._cluster.get(self._places.map(service, rollout_name(rollout)))
        return None if found is None else record_of(found)

    def entries(self, service: ServiceName, rollout: RolloutId) -> tuple[Entry, ...]:
        """Return all events of a rollout, none when they are not kept any more.

        Raises OperationError `ledger-damaged` when a part of them is missing.
        """
        record = self.read(service, rollout)
        if record is None:
            return ()
        older: list[Entry] = []
        for name in record.parts:
            found = self._cluster.get(self._places.map(service, name))
            if found is None:
                if self.read(service, rollout) is None:
                    return ()  # dropped while we were reading
                raise _damaged(service, rollout, name)
            older.extend(entries_of(blocks_of(found)))
        return (*older, *record.entries)

    def answered(self, service: ServiceName, rollout: RolloutId) -> frozenset[int]:
        """Return the numbers of the wishes that an event has answered."""
        record = self._mine.get((service, rollout)) or self.read(service, rollout)
        return record.answered if record else frozenset()

    def drop(self, service: ServiceName, rollout: RolloutId) -> None:
        """Delete all that is kept of a rollout."""
        labels = f"{SERVICE}={service},{ROLLOUT}={rollout}"
        for found in self._cluster.list(self._places.maps(service), labels=labels):
            self._cluster.delete(self._places.map(service, metadata(found)["name"]))

    def forget(self, service: ServiceName) -> None:
        """Remember nothing of a service whose lease is not ours any more."""
        for key in [key for key in self._mine if key[0] == service]:
            del self._mine[key]

    def _require(self, lease: Lease, record: Record) -> None:
        if record.fence > lease.fence:
            self.forget(lease.service)
            raise StaleFenceError(lease.service, lease.fence)

    def _read_mine(self, lease: Lease, rollout: RolloutId) -> Record:
        record = self.read(lease.service, rollout)
        if record is None:
            raise _damaged(lease.service, rollout, rollout_name(rollout))
        return record

    def _create(self, lease: Lease, rollout: RolloutId) -> Record:
        body = config_map(rollout_name(rollout), lease.service, kind="rollout", rollout=rollout)
        body["metadata"]["annotations"][FENCE] = str(lease.fence)
        return record_of(self._cluster.create(self._places.maps(lease.service), body))

    def _write(self, key: Key, before: Record, after: Record) -> Record:
        path = self._places.map(key[0], rollout_name(key[1]))
        found = self._cluster.patch(path, difference(before, after))
        if found is None:
            raise ObjectChanged
        return replace(after, version=str(metadata(found)["resourceVersion"]))

    def _lightened(self, lease: Lease, rollout: RolloutId, record: Record) -> Record:
        """Move all blocks but the last into a part; the next write makes it known.

        Its name has the fence in it: a holder that lost the lease in the middle of this writes to
        another part, which nobody knows of.
        """
        name = f"{rollout_name(rollout)}-{len(record.parts) + 2}.{lease.fence}"
        body = config_map(name, lease.service, kind="rollout-part", rollout=rollout)
        body["binaryData"], body["immutable"] = dict(record.blocks[:-1]), True
        with suppress(ObjectExists):  # ours, with the same blocks: what followed did not succeed
            self._cluster.create(self._places.maps(lease.service), body)
        return record.moved(name)


def _damaged(service: ServiceName, rollout: RolloutId, name: str) -> OperationError:
    return OperationError(
        "ledger-damaged",
        f"of rollout {rollout} of {service} the ConfigMap {name} is missing",
        hint=f"restore it from a backup of the cluster, then deployer resume {service}",
    )


def _says(current: Record, wanted: Record) -> bool:
    """Whether a record holds what was to be written."""
    return (current.blocks, current.parts) == (wanted.blocks, wanted.parts)
