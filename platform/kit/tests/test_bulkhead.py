"""The bulkhead: a stuck dependency never has all threads, a busy one refuses nobody."""

import threading
import time

import pytest

from platform_kit.bulkhead import Bulkhead, share_of_threads
from platform_kit.deadline import within


@pytest.mark.parametrize(
    ("threads", "places"), [("8", 6), ("1", 1), ("2", 1), ("4", 3), ("60", 45)]
)
def test_there_are_fewer_places_than_threads(monkeypatch, threads, places):
    """Wherever there is more than one."""
    monkeypatch.setenv("PLATFORM_THREADS", threads)

    assert share_of_threads() == places


def warm(places, **options):
    """A bulkhead that has seen a short call."""
    bulkhead = Bulkhead(places, **options)
    bulkhead.leave(bulkhead.enter(), answered=True)
    return bulkhead


def test_a_place_that_was_left_is_free_again():
    """As often as wanted."""
    bulkhead = Bulkhead(1)
    for _ in range(3):
        bulkhead.leave(bulkhead.enter(), answered=True)

    assert bulkhead.taken == 0


def test_a_stuck_dependency_refuses_the_next_one_after_a_moment():
    """All places are taken and nothing moves."""
    bulkhead = warm(2, long_seconds=0.1)
    bulkhead.enter()
    bulkhead.enter()
    begun = time.monotonic()

    assert bulkhead.enter() is None
    assert 0.05 < time.monotonic() - begun < 5
    assert bulkhead.taken == 2


def test_once_it_is_known_to_be_stuck_nobody_waits():
    """One has waited for all."""
    bulkhead = warm(1, long_seconds=2.0)
    bulkhead.enter()
    bulkhead.enter()
    begun = time.monotonic()
    refused = [bulkhead.enter() for _ in range(100)]

    assert refused == [None] * 100
    assert time.monotonic() - begun < 2  # not even one of them


def test_a_caller_in_a_hurry_ends_nobody_elses_patience():
    """It found no place in the little time that it had: that says nothing."""
    bulkhead = warm(1, long_seconds=60)
    held = bulkhead.enter()
    with within(0.01):
        hurried = bulkhead.enter()
    entered = []
    waiter = threading.Thread(target=lambda: entered.append(bulkhead.enter()))
    waiter.start()
    bulkhead.leave(held, answered=True)
    waiter.join(30)

    assert hurried is None
    assert None not in entered


def test_those_who_wait_are_refused_with_the_first_long_call(clock):
    """One gets the place that it leaves, the others need not wait for theirs."""
    bulkhead = warm(2, long_seconds=60, clock=clock)
    slow = bulkhead.enter()
    bulkhead.enter()
    clock.now += 61
    entered = []
    threads = [threading.Thread(target=lambda: entered.append(bulkhead.enter())) for _ in range(5)]
    for thread in threads:
        thread.start()
    bulkhead.leave(slow, answered=True)
    for thread in threads:
        thread.join(30)

    assert sorted(each is None for each in entered) == [False] + [True] * 4


def test_a_slow_dependency_has_no_queue(clock):
    """Its calls end, one after the other, but each took long: who finds all places taken is refused at once."""
    bulkhead = warm(2, long_seconds=60, clock=clock)
    first = bulkhead.enter()
    bulkhead.enter()
    clock.now += 61
    bulkhead.leave(first, answered=True)
    bulkhead.enter()
    begun = time.monotonic()

    assert bulkhead.enter() is None
    assert time.monotonic() - begun < 30


def test_a_short_call_brings_patience_back(clock):
    """It is over: whoever comes next may wait again."""
    bulkhead = warm(1, long_seconds=60, clock=clock)
    slow = bulkhead.enter()
    clock.now += 61
    bulkhead.leave(slow, answered=True)
    quick = bulkhead.enter()
    refused = bulkhead.enter()
    bulkhead.leave(quick, answered=True)
    held = bulkhead.enter()
    entered = []
    waiter = threading.Thread(target=lambda: entered.append(bulkhead.enter()))
    waiter.start()
    bulkhead.leave(held, answered=True)
    waiter.join(30)

    assert refused is None
    assert entered == [clock.now]


def test_a_call_that_fails_fast_brings_no_patience_back(clock):
    """The circuit has opened: what it refuses is over soon, and says nothing about the calls under way."""
    bulkhead = warm(2, long_seconds=60, clock=clock)
    slow = bulkhead.enter()
    bulkhead.enter()
    clock.now += 61
    bulkhead.leave(slow, answered=True)
    bulkhead.leave(bulkhead.enter(), answered=False)
    bulkhead.enter()
    begun = time.monotonic()

    assert bulkhead.enter() is None
    assert time.monotonic() - begun < 30


def test_a_new_instance_has_more_patience(clock):
    """Its first calls open their connections: long ones are no sign until one was short."""
    bulkhead = Bulkhead(1, long_seconds=0.01, cold_seconds=60, clock=clock)
    cold = bulkhead.enter()
    entered = []
    waiter = threading.Thread(target=lambda: entered.append(bulkhead.enter()))
    waiter.start()
    clock.now += 2
    bulkhead.leave(cold, answered=True)
    waiter.join(30)

    assert entered == [clock.now]


def test_its_patience_ends_too():
    """The dependency hangs from the first call on."""
    bulkhead = Bulkhead(1, cold_seconds=0.1)
    bulkhead.enter()
    begun = time.monotonic()
    refused = [bulkhead.enter() for _ in range(100)]

    assert refused == [None] * 100
    assert time.monotonic() - begun < 5


def test_nobody_waits_beyond_the_deadline():
    """The caller's answer is due before the bulkhead's patience ends."""
    bulkhead = warm(1, long_seconds=60)
    bulkhead.enter()
    begun = time.monotonic()
    with within(0.05):
        entered = bulkhead.enter()

    assert entered is None
    assert time.monotonic() - begun < 30


def test_a_long_queue_waits_while_it_moves():
    """Longer than the patience, but every short call renews that: a hundred threads, one place, two seconds of work."""
    bulkhead = warm(1, long_seconds=1)
    entered = []

    def work():
        entered.append(bulkhead.enter())
        threading.Event().wait(0.02)
        bulkhead.leave(entered[-1], answered=True)

    threads = [threading.Thread(target=work) for _ in range(100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(entered) == 100
    assert None not in entered


def test_a_busy_dependency_refuses_nobody():
    """Forty threads, two places, calls of some milliseconds, never more than two at once."""
    bulkhead = warm(2, long_seconds=30)
    entered, most = [], []

    def work():
        for _ in range(5):
            entered.append(bulkhead.enter())
            most.append(bulkhead.taken)
            threading.Event().wait(0.002)
            bulkhead.leave(entered[-1], answered=True)

    threads = [threading.Thread(target=work) for _ in range(40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(entered) == 200
    assert None not in entered
    assert max(most) <= 2
