"""A clock whose seconds pass when somebody sleeps."""

from __future__ import annotations

from deployer.targets.clock import VirtualClock


def test_time_passes_by_sleeping_and_no_other_way():
    """An hour in no time."""
    clock = VirtualClock(at=100.0)
    clock.sleep(3600.0)
    clock.sleep(-5.0)

    assert clock.now() == 3700.0


def test_alarms_ring_at_their_time_in_the_middle_of_a_sleep():
    """In the order of their times; of two at once the first that was set."""
    clock = VirtualClock()
    heard: list[tuple[str, float]] = []
    for name, at in (("late", 8.0), ("early", 2.0), ("second", 8.0), ("never", 11.0)):
        clock.set_alarm(at, lambda name=name: heard.append((name, clock.now())))
    clock.sleep(10.0)

    assert heard == [("early", 2.0), ("late", 8.0), ("second", 8.0)]
    assert clock.now() == 10.0


def test_an_alarm_may_sleep_and_set_another():
    """Time never goes back."""
    clock = VirtualClock()
    heard: list[float] = []

    def ring() -> None:
        clock.sleep(6.0)
        clock.set_alarm(3.0, lambda: heard.append(clock.now()))

    clock.set_alarm(2.0, ring)
    clock.sleep(5.0)

    assert clock.now() == 8.0

    clock.sleep(1.0)
    assert heard == [8.0]
