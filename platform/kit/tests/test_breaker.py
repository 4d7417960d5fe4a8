"""The circuit breaker: when it opens, who may probe, and how soon it is closed again."""

import random
import threading

import pytest

from platform_kit.breaker import FAILURES_IN_A_ROW, OPEN_SECONDS, WINDOW_CALLS, Breaker, State


@pytest.fixture
def breaker(clock):
    return Breaker("product", clock=clock)


def call(breaker, *, failed):
    """Make a call if it may be made, and say whether it was."""
    ticket = breaker.enter()
    if ticket is not None:
        breaker.leave(ticket, failed=failed)
    return ticket is not None


def open_it(breaker):
    for _ in range(FAILURES_IN_A_ROW):
        call(breaker, failed=True)


def test_so_many_failures_in_a_row_open_it(breaker):
    """And not one fewer."""
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, failed=True)
    before = breaker.state
    call(breaker, failed=True)

    assert (before, breaker.state, breaker.opened) == (State.CLOSED, State.OPEN, 1)


def test_a_success_begins_the_row_anew(breaker):
    """Nine failures, one success, nine failures."""
    for _ in range(2):
        for _ in range(FAILURES_IN_A_ROW - 1):
            call(breaker, failed=True)
        call(breaker, failed=False)

    assert breaker.state is State.CLOSED


def test_three_quarters_of_the_window_open_it(breaker):
    """Three failures and a success, again and again, are never ten in a row."""
    calls = 0
    while breaker.state is State.CLOSED:
        call(breaker, failed=calls % 4 != 3)
        calls += 1

    assert calls == WINDOW_CALLS


def test_half_of_the_calls_failing_leaves_it_closed(breaker):
    """One bad slot of two, in turns: the good one's answers are worth having."""
    for number in range(10_000):
        call(breaker, failed=number % 2 == 0)

    assert breaker.state is State.CLOSED


def test_one_bad_slot_of_two_opens_it_rarely(breaker, clock):
    """At random: ten in a row come once in 2,046 calls, and three quarters of forty are rarer."""
    dice = random.Random(7)
    for _ in range(20_000):
        clock.now += 1
        call(breaker, failed=dice.random() < 0.5)

    assert breaker.opened < 40


def test_open_nothing_passes(breaker):
    """The dependency is left alone."""
    open_it(breaker)

    assert [call(breaker, failed=False) for _ in range(5)] == [False] * 5
    assert breaker.retry_after_seconds() == 1


def test_after_its_time_one_probe_passes(breaker, clock):
    """The others are refused until it is back."""
    open_it(breaker)
    clock.now += OPEN_SECONDS
    probe = breaker.enter()

    assert probe is not None
    assert breaker.state is State.HALF_OPEN
    assert [breaker.enter() for _ in range(5)] == [None] * 5


def test_a_good_probe_closes_it(breaker, clock):
    """And nothing of before counts."""
    open_it(breaker)
    clock.now += OPEN_SECONDS
    call(breaker, failed=False)
    for _ in range(FAILURES_IN_A_ROW - 1):
        call(breaker, failed=True)

    assert breaker.state is State.CLOSED


def test_a_bad_probe_opens_it_for_as_long_again(breaker, clock):
    """One failure is enough then; the time does not grow, or recovery would be late."""
    open_it(breaker)
    clock.now += OPEN_SECONDS
    call(breaker, failed=True)
    clock.now += OPEN_SECONDS - 0.01
    early = call(breaker, failed=False)
    clock.now += 0.01
    due = call(breaker, failed=False)

    assert (early, due, breaker.state) == (False, True, State.CLOSED)


def test_a_probe_that_says_nothing_makes_room_for_the_next(breaker, clock):
    """Its caller had no time: who comes next decides."""
    open_it(breaker)
    clock.now += OPEN_SECONDS
    call(breaker, failed=None)

    assert breaker.state is State.HALF_OPEN
    assert call(breaker, failed=False)
    assert breaker.state is State.CLOSED


def test_calls_that_say_nothing_never_open_it(breaker):
    """Whoever sends short deadlines must not cut others off."""
    for _ in range(100):
        call(breaker, failed=None)

    assert breaker.state is State.CLOSED


def test_a_call_from_before_the_change_has_no_say(breaker, clock):
    """It hung while the circuit opened and closed; now it fails, or succeeds, of another time."""
    old = breaker.enter()
    open_it(breaker)
    breaker.leave(old, failed=False)
    after_success = breaker.state
    clock.now += OPEN_SECONDS
    breaker.enter()
    breaker.leave(old, failed=True)

    assert (after_success, breaker.state) == (State.OPEN, State.HALF_OPEN)


def test_many_threads_send_one_probe(breaker, clock):
    """All at the same moment."""
    open_it(breaker)
    clock.now += OPEN_SECONDS
    start, passed = threading.Barrier(16), []

    def enter():
        start.wait()
        passed.append(breaker.enter())

    threads = [threading.Thread(target=enter) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len([ticket for ticket in passed if ticket is not None]) == 1
