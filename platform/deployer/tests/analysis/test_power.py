"""How many requests it takes to see a fault: what a pass needs and what a plan promises."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.analysis import requests_needed
from deployer.analysis.power import _power, _upper_tail
from deployer.analysis.sequential import ODDS, against_limit, limit_factors, mass_spent, update

ALPHA = 0.01 / 6  # one signal's: five and a business pair share 1 %

TABLE = {
    1.00: (8, 8, 8),
    0.50: (21, 33, 47),
    0.20: (114, 182, 266),
    0.15: (231, 361, 466),
    0.10: (657, 1_028, 1_445),
    0.07: (3_081, 4_994, 7_264),
}


def simulated(share: float, *, rollouts: int) -> int:
    """Return the 90th percentile of the requests that seeded rollouts took."""
    rng, found = random.Random(3), []
    for _ in range(rollouts):
        statistics, seen = (0.0,) * len(ODDS), 0
        while sum(statistics) <= 600 * len(ODDS):
            bad = (rng.random() < share) + (rng.random() < share)
            mass = mass_spent(seen + 2, 10_000) - mass_spent(seen, 10_000)
            statistics = update(
                statistics, limit_factors(0.05, bad, 2 - bad), mass=mass, ceiling=6_000.0
            )
            seen += 2
        found.append(seen)
    return sorted(found)[int(0.9 * rollouts)]


@pytest.mark.parametrize("share", TABLE)
def test_the_table_of_the_docstring_is_what_the_function_says(share: float) -> None:
    """Requests needed at a power of 50, 90 and 99 %."""
    needed = [
        requests_needed(share, power=power, limit=0.05, alpha=ALPHA) for power in (0.5, 0.9, 0.99)
    ]

    assert tuple(needed) == TABLE[share]


@pytest.mark.parametrize(("share", "rollouts"), [(0.5, 1_000), (0.2, 600), (0.1, 150)])
def test_the_number_is_a_little_above_what_simulations_take(share: float, rollouts: int) -> None:
    """Never too small, so a pass is earned; and at most a quarter too large."""
    needed = requests_needed(share, power=0.9, limit=0.05, alpha=ALPHA)

    assert 0.97 * simulated(share, rollouts=rollouts) <= needed
    assert needed <= 1.25 * simulated(share, rollouts=rollouts)


@settings(max_examples=30, deadline=None)
@given(st.floats(0.08, 0.9), st.floats(0.5, 0.98), st.floats(0.001, 0.03))
def test_a_smaller_alpha_needs_no_fewer_requests(share: float, power: float, alpha: float) -> None:
    """Being surer that it is a fault takes longer."""
    sure = requests_needed(share, power=power, limit=0.05, alpha=alpha / 10)

    assert sure >= requests_needed(share, power=power, limit=0.05, alpha=alpha)


def test_a_larger_plan_needs_more_requests() -> None:
    """The mass is spread thinner, which costs its logarithm."""
    ten, hundred = (
        requests_needed(0.2, power=0.9, limit=0.05, alpha=ALPHA, planned=planned)
        for planned in (10_000, 100_000)
    )

    assert ten < hundred < 1.25 * ten


@pytest.mark.parametrize("share", [0.0, 0.05, 0.051, 1.2])
def test_a_share_that_cannot_be_told_from_the_limit_is_refused(share: float) -> None:
    """At or hardly above the limit no number of requests will do, and the error says so."""
    with pytest.raises(ValueError, match="no number of requests"):
        requests_needed(share, power=0.9, limit=0.05, alpha=ALPHA)


@pytest.mark.parametrize("power", [-0.1, 0.0, 1.0, 1.2])
def test_certainty_is_refused(power: float) -> None:
    """No number of requests makes it certain, and any number makes it not impossible."""
    with pytest.raises(ValueError, match="power must lie between 0 and 1"):
        requests_needed(0.2, power=power, limit=0.05, alpha=ALPHA)


def test_more_requests_than_anybody_has_are_refused() -> None:
    """A share that needs millions of requests is as good as the limit."""
    with pytest.raises(ValueError, match="more than 4,194,304 requests"):
        requests_needed(0.059, power=0.99, limit=0.05, alpha=ALPHA)


def test_it_is_quick_enough_to_ask_at_any_time() -> None:
    """A few milliseconds at most, so `plan` may ask for a whole table."""
    best = min(_seconds(alpha) for alpha in (0.0019, 0.0018, 0.0017))

    assert best < 0.02


def _seconds(alpha: float) -> float:
    began = time.thread_time()
    requests_needed(0.07, power=0.9, limit=0.05, alpha=alpha)
    return time.thread_time() - began


@given(st.integers(1, 200), st.floats(0.01, 0.99), st.integers(0, 200))
def test_the_binomial_tail_is_the_binomial_tail(n: int, share: float, least: int) -> None:
    """Summed from the middle out or from end to end: the same chance."""
    terms = [_chance(n, k, share) for k in range(least, n + 1)]

    assert _upper_tail(n, least, share) == pytest.approx(sum(terms), abs=1e-9)


def _chance(n: int, k: int, share: float) -> float:
    import math

    return math.comb(n, k) * share**k * (1 - share) ** (n - k)


def test_too_few_requests_have_no_power_at_all() -> None:
    """Three failures in three requests reject nothing yet."""
    assert _power(3, 1.0, against_limit(0.05), alpha=ALPHA, planned=10_000) == 0
