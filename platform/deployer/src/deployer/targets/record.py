"""What should run of a service: the truth that a target restores and makes its route from.

A value with a writer's number (`fence`): whoever keeps it refuses a writer with a lower one.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache

from pydantic import TypeAdapter

from deployer.model import Fence, Release, ServiceName, Slot

NO_FENCE = Fence(0)  # below every lease's


@dataclass(frozen=True, slots=True)
class Instance:
    """A process of the target `local`. `started` guards against a process id used again."""

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


def read_record(text: str | bytes) -> ServiceRecord:
    """Return the record that `written` made a text of."""
    return _adapter().validate_json(text)


def written(record: ServiceRecord) -> bytes:
    """Return a record as JSON."""
    return _adapter().dump_json(record, indent=1)
