"""The record of what should run of a service, as a ConfigMap in its namespace.

Writes are conditional on what was read, and refused to a holder whose number is lower than the
last writer's.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from deployer.cluster import Cluster, Object, ObjectChanged, ObjectExists
from deployer.ledger import StaleFenceError
from deployer.model import Fence, ServiceName
from deployer.targets.kubernetes.names import STATE, Names
from deployer.targets.record import ServiceRecord, read_record, written

KEY = "state.json"


class States:
    """The records of an environment's services."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster = cluster
        self._names = names

    def read(self, service: ServiceName) -> ServiceRecord:
        """Return a service's record; an empty one when nothing runs of it yet."""
        return _record(service, self._get(service))

    def exists(self, service: ServiceName) -> bool:
        """Whether the service was ever brought up here."""
        return self._get(service) is not None

    def update(
        self,
        service: ServiceName,
        change: Callable[[ServiceRecord], ServiceRecord],
        *,
        fence: Fence,
    ) -> ServiceRecord:
        """Replace a record by what `change` makes of it; raise StaleFenceError for an old fence."""
        while True:
            found = self._get(service)
            before = _record(service, found)
            if fence < before.fence:
                raise StaleFenceError(service, fence)
            record = replace(change(before), fence=fence)
            if found is not None and record == before:
                return record
            try:
                self._put(service, found, record)
            except (ObjectChanged, ObjectExists):
                continue  # somebody else wrote: look whether we still may
            return record

    def _get(self, service: ServiceName) -> Object | None:
        return self._cluster.get(self._names.core(service, "configmaps", STATE))

    def _put(self, service: ServiceName, found: Object | None, record: ServiceRecord) -> None:
        data = {KEY: written(record).decode()}
        if found is not None:
            path = self._names.core(service, "configmaps", STATE)
            self._cluster.replace(path, {**found, "data": data})
            return
        meta = {"name": STATE, "labels": {"app.kubernetes.io/name": service}}
        body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}
        self._cluster.create(self._names.core(service, "configmaps"), body)


def _record(service: ServiceName, found: Object | None) -> ServiceRecord:
    return read_record(found["data"][KEY]) if found else ServiceRecord(service)
