"""What should run of each service on this machine: one JSON file a service.

The file is the truth that `up` restores and the router's file is made from. It is replaced
atomically under a lock, and a writer whose fence is lower than the file's is refused.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter

from deployer.ledger import StaleFenceError
from deployer.model import Fence, Release, ServiceName, Slot

NO_FENCE = Fence(0)  # below every lease's


@dataclass(frozen=True, slots=True)
class Instance:
    """A process that we started. `started` guards against a process id used again."""

    id: str
    pid: int
    started: float
    port: int
    admin_port: int


@dataclass(frozen=True, slots=True)
class SlotRecord:
    """What a slot should hold."""

    release: Release
    wanted: int
    weight: int = 0
    instances: tuple[Instance, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceRecord:
    """What should run of a service, and who wrote so last (`fence`)."""

    service: ServiceName
    fence: Fence = NO_FENCE
    live: Slot | None = None
    blue: SlotRecord | None = None
    green: SlotRecord | None = None
    standby_until: float | None = None

    def slot(self, slot: Slot) -> SlotRecord | None:
        """Return what the slot should hold."""
        return self.blue if slot is Slot.BLUE else self.green

    def with_slot(self, slot: Slot, content: SlotRecord | None) -> ServiceRecord:
        """Return the record with another content of one slot."""
        if slot is Slot.BLUE:
            return replace(self, blue=content)
        return replace(self, green=content)

    @property
    def slots(self) -> tuple[tuple[Slot, SlotRecord], ...]:
        """The slots that hold something."""
        pairs = ((slot, self.slot(slot)) for slot in Slot)
        return tuple((slot, content) for slot, content in pairs if content is not None)


@cache
def _adapter() -> TypeAdapter[ServiceRecord]:
    return TypeAdapter(ServiceRecord)


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
        return _adapter().validate_json(path.read_bytes())

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
            file.write(_adapter().dump_json(record, indent=1))
            file.flush()
            os.fsync(file.fileno())
        fresh.replace(path)

    def _path(self, service: ServiceName) -> Path:
        return self._folder / f"{service}.json"
