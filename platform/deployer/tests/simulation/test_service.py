"""The model of a service: latencies, ramps, and times without metrics."""

from __future__ import annotations

import pytest

from deployer.simulation import Behaviour, Latency, Outage, Side


def test_a_latency_is_made_by_the_share_above_a_limit():
    """A p95 of 1.5 s means 5 % above 1.5 s, and more than that above 1 s."""
    latency = Latency.with_share_above(1.5, 0.05)

    assert latency.share_above(1.5) == pytest.approx(0.05)
    assert 0.10 < latency.share_above(1.0) < 0.15


@pytest.mark.parametrize(("share", "expected"), [(0.0, 0.0), (1.0, 1.0)])
def test_none_and_all_may_be_slow(share: float, expected: float):
    """The ends of the scale, which the normal distribution does not reach."""
    assert Latency.with_share_above(1.0, share).share_above(1.0) == pytest.approx(expected)


def test_a_ramp_goes_from_one_behaviour_to_the_other():
    """Shares move in proportion; a health check answers yes or no, and turns at the end."""
    good = Behaviour(error_share=0.01, memory_share=0.4)
    bad = Behaviour(error_share=0.05, memory_share=0.8, healthy=False, latency=Latency(0.3))
    half = good.towards(bad, 0.5)

    assert half.error_share == pytest.approx(0.03)
    assert half.memory_share == pytest.approx(0.6)
    assert half.latency.median_seconds == pytest.approx(0.2)
    assert half.healthy
    assert good.towards(bad, 1.0) == bad
    assert good.towards(bad, 0.0) == good


def test_an_outage_covers_its_time_and_no_more():
    """Its beginning belongs to it, its end does not."""
    outage = Outage(10.0, 5.0)

    assert [outage.covers(at) for at in (9.9, 10.0, 14.9, 15.0)] == [False, True, True, False]


def test_both_sides_are_hit_by_what_hits_both():
    """The candidate's and live's troubles are told apart."""
    assert [side for side in Side if side.hits_candidate] == [Side.CANDIDATE, Side.BOTH]
    assert [side for side in Side if side.hits_live] == [Side.LIVE, Side.BOTH]
