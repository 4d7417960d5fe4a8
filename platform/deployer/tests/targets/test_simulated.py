"""The simulated target keeps the protocol's promises, in virtual time."""

from __future__ import annotations

import pytest
from engine.orders import NEW, OLD, PRODUCT

from deployer.errors import OperationError
from deployer.ledger import StaleFenceError
from deployer.model import Fence, Slot
from deployer.targets import InterruptedWait, Target
from deployer.targets.clock import VirtualClock
from deployer.targets.simulated import SimulatedTarget, Timings

TIMINGS = Timings(start_seconds=3.0, ready_seconds=20.0, shift_seconds=0.5, drain_seconds=2.0)


class World:
    """The old release live in blue, with two instances."""

    def __init__(self) -> None:
        self.clock = VirtualClock(at=1000.0)
        self.target = SimulatedTarget(self.clock, TIMINGS)
        self.target.install(Slot.BLUE, OLD, 2)
        self.interrupted = False

    def start(self, instances: int = 2, fence: int = 1) -> float:
        before = self.clock.now()
        self.target.scale(
            Slot.GREEN, NEW, instances, fence=Fence(fence), interrupted=lambda: self.interrupted
        )
        return self.clock.now() - before

    def ready(self, slot: Slot) -> list[bool]:
        held = self.target.situation(PRODUCT).of(slot)
        return [instance.ready for instance in held.instances] if held else []


@pytest.fixture
def world() -> World:
    return World()


def test_it_is_a_target(world: World):
    """As the protocol asks, and as the driver takes it."""
    target: Target = world.target
    situation = target.situation(PRODUCT)

    assert situation.live is Slot.BLUE
    assert situation.serving is not None
    assert (situation.serving.weight, situation.serving.ready) == (100, True)


def test_starting_takes_as_long_as_an_instance_takes(world: World):
    """And twice is once: what is there already is left as it is."""
    assert world.start() == pytest.approx(3.0)
    assert world.start() == 0.0
    assert world.start(instances=3) == pytest.approx(3.0)
    assert world.ready(Slot.GREEN) == [True] * 3


def test_scaling_down_drains_what_is_too_many(world: World):
    """Instances that stay are the ones that were there; with none the slot stays installed."""
    world.start(instances=3)

    assert world.start(instances=1) == TIMINGS.drain_seconds
    assert world.ready(Slot.GREEN) == [True]

    world.start(instances=0)
    held = world.target.situation(PRODUCT).of(Slot.GREEN)
    assert held is not None
    assert (held.release, held.instances) == (NEW, ())


def test_a_slot_that_is_not_ready_gets_no_traffic_while_the_other_is(world: World):
    """Taking traffic away from it is never refused, and neither is a choice between two bad ones."""
    world.start()
    world.target.hang(PRODUCT, Slot.GREEN)
    with pytest.raises(OperationError) as refused:
        world.target.shift(PRODUCT, Slot.GREEN, 50, fence=Fence(1))

    assert refused.value.code == "slot-not-ready"

    world.target.shift(PRODUCT, Slot.GREEN, 0, fence=Fence(1))
    world.target.hang(PRODUCT, Slot.BLUE)
    world.target.shift(PRODUCT, Slot.GREEN, 50, fence=Fence(1))
    assert world.target.weight(PRODUCT, Slot.GREEN) == 50


def test_requests_are_counted_and_not_kept(world: World):
    """There is no log to read."""
    assert world.target.failing_requests(Slot.BLUE, OLD, since=0.0, limit=9) == ()


def test_a_route_changes_only_after_the_router_had_its_time(world: World):
    """Whoever counts hears of it before it changes."""
    world.start()
    heard: list[tuple[float, int]] = []
    world.target.before_change = lambda service: heard.append(
        (world.clock.now(), world.target.weight(service, Slot.GREEN))
    )
    began = world.clock.now()
    world.target.shift(PRODUCT, Slot.GREEN, 25, fence=Fence(1))
    world.target.shift(PRODUCT, Slot.GREEN, 25, fence=Fence(1))  # no time, no change

    assert heard == [(began + 0.5, 0)]
    assert world.clock.now() == began + 0.5
    assert [world.target.weight(PRODUCT, slot) for slot in Slot] == [75, 25]


def test_a_lower_fence_is_refused_by_everything_that_changes(world: World):
    """A holder that was stopped and wakes up later changes nothing."""
    world.start(fence=2)
    old = Fence(1)

    with pytest.raises(StaleFenceError):
        world.start(fence=1)
    with pytest.raises(StaleFenceError):
        world.target.shift(PRODUCT, Slot.GREEN, 50, fence=old)
    with pytest.raises(StaleFenceError):
        world.target.promote(PRODUCT, Slot.GREEN, standby_until=None, fence=old)
    with pytest.raises(StaleFenceError):
        world.target.retire(PRODUCT, Slot.BLUE, fence=old)
    assert world.target.weight(PRODUCT, Slot.BLUE) == 100


def test_a_holder_that_loses_its_lease_while_the_router_works_changes_nothing(world: World):
    """The fence is asked again at the moment of the change."""
    world.start()
    world.clock.set_alarm(world.clock.now() + 0.2, lambda: world.start(fence=2))

    with pytest.raises(StaleFenceError):
        world.target.shift(PRODUCT, Slot.GREEN, 50, fence=Fence(1))

    assert world.target.weight(PRODUCT, Slot.GREEN) == 0


def test_promoting_and_retiring_may_be_done_twice(world: World):
    """The slot is live, the other one is gone, the second time costs nothing."""
    world.start()
    for _ in range(2):
        world.target.shift(PRODUCT, Slot.GREEN, 100, fence=Fence(1))
        world.target.promote(PRODUCT, Slot.GREEN, standby_until=5000.0, fence=Fence(1))
    before = world.clock.now()
    world.target.retire(PRODUCT, Slot.BLUE, fence=Fence(1))
    world.target.retire(PRODUCT, Slot.BLUE, fence=Fence(1))
    situation = world.target.situation(PRODUCT)

    assert (situation.live, situation.standby_until) == (Slot.GREEN, 5000.0)
    assert situation.of(Slot.BLUE) is None
    assert world.clock.now() == before + TIMINGS.drain_seconds


def test_a_wait_for_instances_can_be_interrupted(world: World):
    """Somebody asked for something else."""
    world.clock.set_alarm(1001.0, lambda: setattr(world, "interrupted", True))

    with pytest.raises(InterruptedWait):
        world.start()

    assert world.clock.now() == pytest.approx(1001.0)


def test_a_release_that_crash_loops_is_never_ready(world: World):
    """The action gives up in its time, however often it is tried."""
    world.target.never_get_ready(NEW)
    for _ in range(2):
        before = world.clock.now()
        with pytest.raises(OperationError) as refused:
            world.start()

        assert refused.value.code == "never-ready"
        assert world.clock.now() - before == pytest.approx(TIMINGS.ready_seconds)


def test_a_crashed_instance_comes_back_by_itself(world: World):
    """After the time that a start takes."""
    world.start()
    world.target.crash(PRODUCT, Slot.GREEN, instances=1)
    now = world.clock.now()

    assert world.ready(Slot.GREEN) == [False, True]
    assert world.target.answering(PRODUCT, Slot.GREEN, at=now) == 0.5
    assert world.target.next_ready(PRODUCT, after=now) == now + 3.0
    assert world.target.answering(PRODUCT, Slot.GREEN, at=now + 3.0) == 1.0
    assert world.target.started_at(PRODUCT, Slot.GREEN) == now


def test_a_hung_instance_stays_until_somebody_replaces_it(world: World):
    """Waiting does not help; starting does."""
    world.start()
    world.target.hang(PRODUCT, Slot.GREEN)
    world.clock.sleep(100.0)

    assert world.ready(Slot.GREEN) == [False, False]

    assert world.start() == pytest.approx(3.0)
    assert world.ready(Slot.GREEN) == [True, True]


def test_a_smoke_check_wants_every_instance_of_this_release(world: World):
    """A hung instance, an empty slot and another release are refused."""
    world.start()
    world.target.smoke(Slot.GREEN, NEW)
    world.target.hang(PRODUCT, Slot.GREEN, instances=1)
    for slot, release in ((Slot.GREEN, NEW), (Slot.BLUE, NEW)):
        with pytest.raises(OperationError) as refused:
            world.target.smoke(slot, release)

        assert refused.value.code == "smoke-failed"


def test_nothing_befalls_an_empty_slot(world: World):
    """There is nobody to crash, and nobody who answers."""
    before = world.target.changes
    world.target.crash(PRODUCT, Slot.GREEN)

    assert world.target.changes == before
    assert world.target.answering(PRODUCT, Slot.GREEN, at=0.0) == 0.0
    assert world.target.started_at(PRODUCT, Slot.GREEN) is None


def test_a_migration_takes_its_time(world: World):
    """There is no schema, but there is a wait."""
    world.target.migrate(NEW, phase="expand")

    assert world.clock.now() == 1000.0 + TIMINGS.migrate_seconds
