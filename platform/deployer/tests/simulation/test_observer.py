"""What an observer of simulated traffic sees, and what it must not see."""

from __future__ import annotations

import pytest
from engine.orders import PRODUCT, order

from deployer.analysis import Look
from deployer.engine import begin_rollout
from deployer.model import Fence, Slot
from deployer.simulation import Behaviour, Incident, Mishap, Outage, ServiceModel, Side
from deployer.simulation.observer import SimulatedObserver
from deployer.targets.clock import VirtualClock
from deployer.targets.simulated import SimulatedTarget, Timings


class World:
    """A service with a candidate that is ready and has half of 100 requests a second."""

    def __init__(self, **model: object) -> None:
        self.clock = VirtualClock()
        self.target = SimulatedTarget(self.clock, Timings(start_seconds=5.0, shift_seconds=0.0))
        self.order = order()
        self.target.install(Slot.BLUE, self.order.live, 2)
        self.observer = SimulatedObserver(
            ServiceModel(100.0, **model),
            self.order,
            target=self.target,
            clock=self.clock,
            seed=3,
        )
        self.start()
        self.shift(50)

    def start(self) -> None:
        self.target.scale(
            Slot.GREEN, self.order.candidate, 2, fence=Fence(1), interrupted=lambda: False
        )

    def shift(self, weight: int) -> None:
        self.target.shift(PRODUCT, Slot.GREEN, weight, fence=Fence(1))

    def look(self, after: float = 1.0) -> Look:
        self.clock.sleep(after)
        return self.observer.look(begin_rollout(self.order), at=self.clock.now())


def test_requests_are_counted_under_the_weight_that_held_when_they_came():
    """Before the shift live had them all; a look tells both parts together."""
    first = World().look(10.0)

    # Five seconds of starting at weight 0, then ten at 50.
    assert first.candidate.requests == pytest.approx(500, rel=0.15)
    assert first.live.requests == pytest.approx(1000, rel=0.15)


def test_a_look_tells_what_came_since_the_one_before():
    """Nothing is told twice."""
    world = World()
    world.look()
    second, again = world.look(1.0), world.look(0.0)

    assert second.candidate.requests == pytest.approx(50, rel=0.5)
    assert again.candidate.requests == 0


def test_without_metrics_a_look_says_so_and_the_next_one_has_it_all():
    """The totals at the router lose nothing."""
    world = World(outages=(Outage(8.0, 10.0),))
    world.look()  # at second 6
    blind, after = world.look(4.0), world.look(10.0)

    assert not blind.reachable
    assert (blind.candidate.requests, blind.candidate_healthy) == (0, None)
    assert after.reachable
    assert after.candidate.requests == pytest.approx(14 * 50, rel=0.15)


def test_vitals_come_from_the_behaviour_and_the_instances():
    """As the candidate's instances tell them."""
    sick = Behaviour(healthy=False, memory_share=0.95, cpu_share=0.5)
    look = World(candidate=sick).look()

    assert (look.candidate_healthy, look.memory_share, look.cpu_share) == (False, 0.95, 0.5)
    assert look.instances_since == 0.0


def test_business_attempts_are_told_for_both_slots():
    """A candidate whose orders fail by a third, without a 5xx."""
    look = World(candidate=Behaviour(error_share=0.0, success_share=0.65)).look(100.0)
    (candidate,), (live,) = look.outcomes, look.live_outcomes

    assert candidate.name == live.name
    assert candidate.attempts == pytest.approx(1000, rel=0.15)
    assert candidate.successes / candidate.attempts == pytest.approx(0.65, abs=0.05)
    assert live.successes / live.attempts == pytest.approx(0.98, abs=0.03)


def test_a_crash_fails_requests_until_the_instances_are_back():
    """Five seconds of starting again: from second 10 to 15."""
    world = World(
        candidate=Behaviour(error_share=0.0),
        incidents=(Incident(Mishap.CRASH, Side.CANDIDATE, 10.0),),
    )
    before, down, after = world.look(5.0), world.look(2.0), world.look(10.0)

    assert before.candidate.failed == 0
    assert down.candidate.failed == down.candidate.requests > 0
    assert (down.candidate_healthy, down.memory_share) == (False, None)
    assert down.live.failed < 5
    assert after.candidate.failed == pytest.approx(150, rel=0.3)
    assert after.candidate_healthy


def test_a_hung_instance_fails_its_part_and_stays():
    """One of two: half the requests."""
    world = World(incidents=(Incident(Mishap.HANG, Side.CANDIDATE, 6.0, instances=1),))
    world.look()
    look = world.look(20.0)

    assert look.candidate.failed / look.candidate.requests == pytest.approx(0.5, abs=0.1)
    assert look.candidate_healthy is False


def test_live_may_crash_loop():
    """It fails, and the candidate does not."""
    world = World(incidents=(Incident(Mishap.CRASH_LOOP, Side.LIVE, 6.0),))
    world.look()
    look = world.look(60.0)

    assert look.live.failed == look.live.requests
    assert look.candidate.failed < 0.05 * look.candidate.requests
    assert look.candidate_healthy


def test_an_empty_slot_has_no_health():
    """Not seen is not bad."""
    world = World()
    world.shift(0)
    world.target.retire(PRODUCT, Slot.GREEN, fence=Fence(1))
    look = world.look()

    assert (look.candidate_healthy, look.memory_share, look.instances_since) == (None, None, None)
