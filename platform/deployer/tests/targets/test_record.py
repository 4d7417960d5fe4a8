"""The records of an environment: atomic, and closed to a stale holder."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from deployer.ledger import StaleFenceError
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.targets.local.record import RecordStore
from deployer.targets.record import Instance, ServiceRecord, SlotRecord

PRODUCT = ServiceName("product")
RELEASE = Release(PRODUCT, "1.0.0", "a" * 64, (("PLATFORM_FAULT_PATH", "/x"),), "abc")
HELD = SlotRecord(RELEASE, 1, 100, (Instance("product-blue-1", 1, 2.5, 3, 4),))


def test_a_record_comes_back_as_it_was_written(tmp_path: Path):
    """Everything of it, from another store over the same folder."""
    written = RecordStore(tmp_path).update(
        PRODUCT, lambda r: replace(r.with_slot(Slot.BLUE, HELD), live=Slot.BLUE), fence=Fence(3)
    )

    assert RecordStore(tmp_path).read(PRODUCT) == written
    assert written.fence == 3
    assert written.slots == ((Slot.BLUE, HELD),)
    assert RecordStore(tmp_path).services() == (PRODUCT,)


def test_a_service_without_a_record_has_an_empty_one(tmp_path: Path):
    """Reading creates nothing."""
    store = RecordStore(tmp_path)

    assert store.read(PRODUCT) == ServiceRecord(PRODUCT)
    assert store.services() == ()


def test_an_old_fence_changes_nothing(tmp_path: Path):
    """A holder that was stopped and wakes up late is refused at the write itself."""
    store = RecordStore(tmp_path)
    kept = store.update(PRODUCT, lambda r: replace(r, live=Slot.GREEN), fence=Fence(5))

    with pytest.raises(StaleFenceError, match="number 4"):
        store.update(PRODUCT, lambda r: replace(r, live=Slot.BLUE), fence=Fence(4))
    assert store.read(PRODUCT) == kept


def test_updates_of_many_threads_lose_nothing(tmp_path: Path):
    """Each sees what the one before it wrote."""
    store = RecordStore(tmp_path)

    def add(number: int) -> None:
        instance = Instance(f"product-green-{number}", number, 1.0, 1, 1)

        def change(record: ServiceRecord) -> ServiceRecord:
            held = record.green or SlotRecord(RELEASE, 1)
            grown = replace(held, instances=(*held.instances, instance))
            return record.with_slot(Slot.GREEN, grown)

        store.update(PRODUCT, change, fence=Fence(1))

    threads = [threading.Thread(target=add, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    held = store.read(PRODUCT).slot(Slot.GREEN)
    assert held is not None
    assert {instance.pid for instance in held.instances} == set(range(16))
