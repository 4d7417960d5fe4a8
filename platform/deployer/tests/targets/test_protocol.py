"""What a target tells of a service."""

from __future__ import annotations

import pytest

from deployer.model import Release, ServiceName, Slot
from deployer.targets import InstanceStatus, Situation, SlotStatus

PRODUCT = ServiceName("product")
RELEASE = Release(PRODUCT, "1.0.0", "a" * 64)


def status(ready: tuple[bool, ...], *, wanted: int) -> SlotStatus:
    instances = tuple(
        InstanceStatus(f"product-blue-{number}", number, 1, 2, ready=each)
        for number, each in enumerate(ready)
    )
    return SlotStatus(Slot.BLUE, RELEASE, 100, wanted, instances)


@pytest.mark.parametrize(
    ("ready", "wanted", "expected"),
    [
        ((True,), 1, True),
        ((True, True), 2, True),
        ((True, True), 1, True),
        ((True, False), 2, False),
        ((True,), 2, False),
        ((), 1, False),
        ((), 0, False),
    ],
)
def test_a_slot_is_ready_when_all_that_are_wanted_are(
    ready: tuple[bool, ...], wanted: int, *, expected: bool
):
    """And an empty one never is: it could take no traffic."""
    assert status(ready, wanted=wanted).ready is expected


def test_a_situation_knows_its_slots():
    """An empty slot is None, and so is the live slot of a service that was never installed."""
    held = status((True,), wanted=1)
    situation = Situation(PRODUCT, Slot.BLUE, (held,), None)

    assert situation.of(situation.live) is held
    assert situation.of(Slot.GREEN) is None
    assert Situation(PRODUCT, None, (), None).of(None) is None
