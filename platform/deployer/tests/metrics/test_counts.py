"""Counts: sums and differences of counters that may begin again."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from deployer.analysis import look_between
from deployer.metrics import Counts, Latency, Outcome, Reading

counts = st.builds(Counts, *[st.integers(0, 10**9)] * 4)


def test_counts_add_field_by_field() -> None:
    """Each count has its own sum."""
    assert Counts(10, 2, 3, 4) + Counts(1, 5, 6, 7) == Counts(11, 7, 9, 11)


@given(counts, counts)
def test_the_difference_gives_back_what_was_added(before: Counts, more: Counts) -> None:
    """Totals that only rise lose nothing."""
    assert (before + more).since(before) == more


@given(counts, counts)
def test_a_difference_is_never_negative(before: Counts, after: Counts) -> None:
    """Whatever the router did in between."""
    since = after.since(before)

    assert min(since.requests, since.failed, since.slow, since.refused) >= 0


def test_counters_that_began_again_count_from_zero() -> None:
    """A router that restarted has counted seven requests since then."""
    assert Counts(7, 1, 0, 0).since(Counts(1_000, 20, 30, 40)) == Counts(7, 1, 0, 0)


def test_one_field_that_fell_is_a_restart() -> None:
    """The router restarted and has served more requests than before, but fewer failed ones."""
    assert Counts(2_000, 1, 0, 0).since(Counts(1_000, 20, 0, 0)) == Counts(2_000, 1, 0, 0)


def test_two_readings_make_a_look() -> None:
    """Counts are differences; what was seen of the instances is as it is now."""
    before = Reading(1.0, True, Counts(10, 1), Counts(90, 2), True, 0.1, 0.1, 0.0)
    after = Reading(2.0, True, Counts(12, 2), Counts(99, 2), False, 0.2, 0.3, 0.5)
    look = look_between(before, after)

    assert (look.at, look.candidate, look.live) == (2.0, Counts(2, 1), Counts(9))
    assert (look.candidate_healthy, look.memory_share, look.cpu_share) == (False, 0.2, 0.3)
    assert (look.reachable, look.instances_since) == (True, 0.5)


def test_a_look_has_the_difference_of_latency_and_outcomes() -> None:
    """A pair that the reading before did not have counts from zero."""
    some, more = Outcome("orders", 10, 9), Outcome("orders", 13, 11)
    nothing = Counts()
    before = Reading(1.0, True, nothing, nothing, latency=Latency((1.0,), (5, 1)), outcomes=(some,))
    after = replace(
        before, latency=Latency((1.0,), (7, 4)), outcomes=(more,), live_outcomes=(some,)
    )
    look = look_between(before, after)

    assert look.latency == Latency((1.0,), (2, 3))
    assert (look.outcomes, look.live_outcomes) == ((Outcome("orders", 3, 2),), (some,))
