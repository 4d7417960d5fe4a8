"""What should run of each service on this machine: one JSON file a service.

The file is the truth that `up` restores and the router's file is made from. It is replaced
atomically under a lock, and a writer whose fence is lower than the file's is refused.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from deployer.ledger import StaleFenceError
from deployer.model import Fence, ServiceName
from deployer.targets.record import ServiceRecord, read_record, written


class RecordStore:
    """The records of an environment, in a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder

    def services(self) -> tuple[ServiceName, ...]:
        """Return the services that have a record."""
        return tuple(ServiceName(path.stem) for path in sorted(self._folder.glob("*.json")))

    def read(self, service: ServiceName) -> ServiceRecord:
        """Return a service's record; an empty one when nothing runs of it yet."""
        path = self._path(service)
        if not path.exists():
            return ServiceRecord(service)
        return read_record(path.read_bytes())

    def update(
        self,
        service: ServiceName,
        change: Callable[[ServiceRecord], ServiceRecord],
        *,
        fence: Fence,
    ) -> ServiceRecord:
        """Replace a record by what `change` makes of it; raise StaleFenceError for an old fence."""
        with self.locked(service):
            record = self.read(service)
            if fence < record.fence:
                raise StaleFenceError(service, fence)
            record = replace(change(record), fence=fence)
            self._write(record)
        return record

    @contextmanager
    def locked(self, service: ServiceName) -> Iterator[None]:
        """Hold the lock of a service's record; for readers that must not race a writer."""
        with self._path(service).with_suffix(".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _write(self, record: ServiceRecord) -> None:
        path = self._path(record.service)
        fresh = path.with_suffix(".new")
        with fresh.open("wb") as file:
            file.write(written(record))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _path(self, service: ServiceName) -> Path:
        return self._folder / f"{service}.json"
