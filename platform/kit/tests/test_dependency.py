"""A dependency as its callers see it: let through, refused, and counted."""

import pytest

from platform_kit.breaker import FAILURES_IN_A_ROW, Breaker, State
from platform_kit.bulkhead import Bulkhead
from platform_kit.dependency import Dependency, Outcome
from platform_kit.errors import NotCalled


@pytest.fixture
def dependency():
    return Dependency("product", bulkhead=Bulkhead(2, cold_seconds=0.01))


def call(dependency, outcome):
    with dependency.call() as call:
        call.outcome = outcome


def counted(dependency):
    return {name: count for name, count in dependency.outcomes().items() if count}


@pytest.mark.parametrize("outcome", [Outcome.FAILED, Outcome.TIMED_OUT])
def test_failures_open_the_circuit(dependency, outcome):
    """Whatever their kind; the next call is refused and says why."""
    for _ in range(FAILURES_IN_A_ROW):
        call(dependency, outcome)

    with pytest.raises(NotCalled, match="product is not called: it failed too often") as refused:
        call(dependency, Outcome.ANSWERED)
    assert refused.value.retry_after_seconds == 1
    assert counted(dependency) == {outcome: FAILURES_IN_A_ROW, Outcome.CIRCUIT_OPEN: 1}


@pytest.mark.parametrize("outcome", [Outcome.ANSWERED, Outcome.CUT_SHORT])
def test_others_do_not(dependency, outcome):
    """An answer is one whatever it says, and a caller in a hurry says nothing."""
    for _ in range(50):
        call(dependency, outcome)

    assert counted(dependency) == {outcome: 50}
    assert dependency.breaker.state is State.CLOSED


def test_a_full_bulkhead_refuses(dependency):
    """And says how many there are."""
    with dependency.call(), dependency.call(), pytest.raises(NotCalled, match="all 2 calls"):
        call(dependency, Outcome.ANSWERED)

    assert counted(dependency) == {Outcome.ANSWERED: 2, Outcome.FULL: 1}
    assert dependency.bulkhead.taken == 0


def test_a_refused_call_keeps_no_place(dependency):
    """The circuit is open: the bulkhead stays empty."""
    for _ in range(FAILURES_IN_A_ROW):
        call(dependency, Outcome.FAILED)
    for _ in range(5):
        with pytest.raises(NotCalled):
            call(dependency, Outcome.ANSWERED)

    assert dependency.bulkhead.taken == 0


def test_an_exception_in_the_block_gives_the_place_back(dependency):
    """It is passed on; what the block said of the call counts."""

    def fail():
        with dependency.call() as call:
            call.outcome = Outcome.FAILED
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()

    assert counted(dependency) == {Outcome.FAILED: 1}
    assert dependency.bulkhead.taken == 0


def test_a_full_bulkhead_leaves_the_probe_to_somebody_else():
    """Refused before the circuit was asked: the one probe is not lost."""
    now = [0.0]
    dependency = Dependency(
        "product",
        bulkhead=Bulkhead(1, cold_seconds=0),
        breaker=Breaker("product", clock=lambda: now[0]),
    )
    for _ in range(FAILURES_IN_A_ROW):
        call(dependency, Outcome.FAILED)
    now[0] += 1
    entered = dependency.bulkhead.enter()
    with pytest.raises(NotCalled, match="all 1 calls"):
        call(dependency, Outcome.ANSWERED)
    dependency.bulkhead.leave(entered, answered=False)
    call(dependency, Outcome.ANSWERED)

    assert dependency.breaker.state is State.CLOSED
