"""The sequential test: valid however often it is looked at, and fast whenever the fault begins."""

from __future__ import annotations

import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.analysis.sequential import (
    ODDS,
    RATES,
    against_limit,
    limit_factors,
    live_factors,
    mass_spent,
    update,
)

PLANNED = 10_000.0
THRESHOLD = 600.0  # alpha 1 % shared among five signals and a business pair
shares = st.floats(0.001, 0.999)
few = st.integers(1, 8)


def binomial(n: int, k: int, share: float) -> float:
    return math.comb(n, k) * share**k * (1 - share) ** (n - k)


def rejected_at(
    rng: random.Random,
    share: float,
    *,
    clean: int = 0,
    requests: int = 5_000,
    look: int = 2,
    threshold: float = THRESHOLD,
    mass_times: float = 1.0,
) -> float:
    """Play a rollout that is 0.5 % bad and then `share` bad; return when it is rejected."""
    statistics, seen = (0.0,) * len(ODDS), 0
    while seen < clean + requests:
        size, bad_share = (10, 0.005) if seen < clean else (look, share)
        bad = sum(rng.random() < bad_share for _ in range(size))
        mass = mass_times * (mass_spent(seen + size, PLANNED) - mass_spent(seen, PLANNED))
        factors = limit_factors(0.05, bad, size - bad)
        statistics = update(statistics, factors, mass=mass, ceiling=10 * threshold)
        seen += size
        if sum(statistics) / len(statistics) > threshold:
            return seen - clean
    return math.inf


@given(st.floats(0, 1e12), st.floats(0, 1e12), st.floats(1, 1e9))
def test_the_mass_spent_rises_and_never_passes_one(a: float, b: float, planned: float) -> None:
    """All the mass of a rollout, however long, is at most 1: that is what alpha rests on."""
    less, more = sorted((a, b))

    assert 0 <= mass_spent(less, planned) <= mass_spent(more, planned) <= 1


def test_the_mass_is_nine_tenths_spent_at_the_planned_requests() -> None:
    """The plan gets nine tenths evenly, and what comes after it gets the rest."""
    spent = [mass_spent(t, PLANNED) for t in (0, 5_000, 10_000, 20_000, 1_000_000)]

    assert spent == pytest.approx([0, 0.45, 0.9, 0.95, 0.999])


@given(shares)
def test_alternatives_lie_above_the_limit(limit: float) -> None:
    """A bad request speaks for every alternative, a good one against it."""
    assert all(bad > 0 > good for bad, good in against_limit(limit))


def test_nothing_exceeds_a_limit_of_one() -> None:
    """With everything allowed there is nothing to test."""
    assert against_limit(1.0) == ()


@given(shares, st.floats(0, 1), few, st.floats(0, 10), st.floats(0, 1))
def test_a_look_within_the_limit_expects_to_add_its_mass_at_most(
    limit: float, part: float, n: int, before: float, mass: float
) -> None:
    """E[S after | S before] <= S + mass for any true share up to the limit, equal at the limit."""
    share = part * limit
    expected = [0.0] * len(ODDS)
    for bad in range(n + 1):
        factors = limit_factors(limit, bad, n - bad)
        after = update((before,) * len(ODDS), factors, mass=mass, ceiling=math.inf)
        expected = [e + binomial(n, bad, share) * s for e, s in zip(expected, after, strict=True)]

    assert all(e <= (before + mass) * (1 + 1e-9) for e in expected)


def test_a_look_above_the_limit_expects_to_add_more_than_its_mass() -> None:
    """The negative control of the bound: at twice the limit the nearest alternatives grow."""
    factors = [limit_factors(0.05, bad, 4 - bad) for bad in range(5)]
    expected = sum(binomial(4, bad, 0.10) * factors[bad][0] for bad in range(5))

    assert expected > 1.05


@given(few, few, shares, st.floats(0, 1), st.floats(1, 4))
def test_a_look_no_worse_than_the_margin_expects_to_add_its_mass_at_most(
    requests: int, live_requests: int, live_share: float, part: float, margin: float
) -> None:
    """Unconditionally, for any two shares whose ratio is within the margin, however large."""
    share = part * min(1.0, margin * live_share)
    expected = [0.0] * len(RATES)
    for bad in range(requests + 1):
        for live_bad in range(live_requests + 1):
            chance = binomial(requests, bad, share) * binomial(live_requests, live_bad, live_share)
            factors = live_factors(requests, live_requests, margin, bad, live_bad)
            expected = [e + chance * factor for e, factor in zip(expected, factors, strict=True)]

    assert all(e <= 1 + 1e-9 for e in expected)


def test_a_look_far_worse_than_live_expects_to_add_more() -> None:
    """The negative control: 50 % bad against 1 % on live is evidence in a single look."""
    expected = sum(
        binomial(4, bad, 0.5)
        * binomial(4, live_bad, 0.01)
        * live_factors(4, 4, 2, bad, live_bad)[0]
        for bad in range(5)
        for live_bad in range(5)
    )

    assert expected > 1.2


def test_the_comparison_asks_for_the_share_of_the_design() -> None:
    """With margin 2, p0 is 2w/(1+w): the two ratios are those of q and p0."""
    requests, live_requests, rate = 10, 90, RATES[0]
    w = requests / (requests + live_requests)
    p0 = 2 * w / (1 + w)
    q = rate * 2 * w / (rate * 2 * w + 1 - w)
    candidate = live_factors(requests, live_requests, 2.0, 1, 0)[0]
    live = live_factors(requests, live_requests, 2.0, 0, 1)[0]

    assert (candidate, live) == pytest.approx((q / p0, (1 - q) / (1 - p0)))


@given(shares, st.integers(0, 10**9), st.integers(0, 10**9))
def test_looks_of_any_size_stay_finite(limit: float, bad: int, good: int) -> None:
    """A billion bad requests in one look neither overflow nor make a number that is none."""
    factors = limit_factors(limit, bad, good)
    after = update((0.0,) * len(ODDS), factors, mass=1e-9, ceiling=1e4)

    assert all(0 <= s <= 1e4 for s in after)


def test_statistics_stop_at_the_ceiling() -> None:
    """An outage of an hour is forgotten as fast as one of a minute."""
    after = update((900.0, 1.0), (5.0, 5.0), mass=0.0, ceiling=1_000.0)

    assert after == (1_000.0, 5.0)


@pytest.mark.parametrize("look", [1, 20])
def test_a_release_at_its_limit_is_rejected_no_more_often_than_alpha(look: int) -> None:
    """Exactly 5 % bad, looked at after every look for 2,000 requests: at most alpha (here 5 %)."""
    rng = random.Random(41)
    rollouts = 200 if look == 1 else 400
    alarms = sum(
        rejected_at(rng, 0.05, requests=2_000, look=look, threshold=20.0) < math.inf
        for _ in range(rollouts)
    )

    assert alarms / rollouts <= 0.05


def test_more_mass_than_one_breaks_alpha() -> None:
    """The negative control of the simulation: two hundred times the mass raises false alarms."""
    rng = random.Random(41)
    alarms = sum(
        rejected_at(rng, 0.05, requests=2_000, look=20, threshold=20.0, mass_times=200) < math.inf
        for _ in range(100)
    )

    assert alarms / 100 > 0.30


@pytest.mark.parametrize(("share", "budget"), [(0.5, 40), (0.2, 180), (0.1, 1_200)])
@pytest.mark.parametrize(("clean", "rollouts"), [(0, 200), (1_000, 200), (5_000, 100)])
def test_a_fault_is_found_within_its_budget_whenever_it_begins(
    share: float, budget: int, clean: int, rollouts: int
) -> None:
    """The 90th percentile of the requests to reject holds at once and after a clean start."""
    rng = random.Random(17)
    found = sorted(rejected_at(rng, share, clean=clean) for _ in range(rollouts))
    after_the_fault = [requests for requests in found if requests > 0]

    assert len(after_the_fault) == rollouts
    assert after_the_fault[int(0.9 * rollouts)] <= budget


def test_a_rollout_that_outlives_its_plan_does_not_go_deaf() -> None:
    """After twice the planned requests a 20 % fault is still found, a little later."""
    rng = random.Random(23)
    found = sorted(rejected_at(rng, 0.2, clean=20_000) for _ in range(30))

    assert found[0] > 0
    assert found[27] <= 260


def test_seven_percent_is_found_at_all() -> None:
    """The nearest alternative is near enough that a share slightly above the limit adds up."""
    rng = random.Random(29)
    found = [rejected_at(rng, 0.07, requests=12_000, look=10) for _ in range(20)]

    assert max(found) < math.inf
