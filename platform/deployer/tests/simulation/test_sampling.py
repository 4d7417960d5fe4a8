"""The samplers: exact enough that no test of the analysis could tell."""

from __future__ import annotations

import math
import statistics
from random import Random

import pytest

from deployer.simulation.sampling import _binomial_table, _poisson_table, binomial, poisson

DRAWS = 20_000


@pytest.mark.parametrize(
    ("n", "share"), [(1, 0.5), (18, 0.005), (40, 0.3), (20, 0.98), (1000, 0.05), (90_000, 0.02)]
)
def test_a_binomial_has_its_mean_and_variance(n: int, share: float):
    """Within five standard errors of what the formulas say."""
    rng = Random(1)
    draws = [binomial(rng, n, share) for _ in range(DRAWS)]
    mean, variance = n * share, n * share * (1 - share)

    assert statistics.fmean(draws) == pytest.approx(mean, abs=5 * math.sqrt(variance / DRAWS))
    assert statistics.variance(draws) == pytest.approx(variance, rel=0.1)
    assert 0 <= min(draws) <= max(draws) <= n


@pytest.mark.parametrize("mean", [0.2, 2.0, 18.0, 5_000.0])
def test_a_poisson_has_its_mean_and_variance(mean: float):
    """Both are the same number."""
    rng = Random(2)
    draws = [poisson(rng, mean) for _ in range(DRAWS)]

    assert statistics.fmean(draws) == pytest.approx(mean, abs=5 * math.sqrt(mean / DRAWS))
    assert statistics.variance(draws) == pytest.approx(mean, rel=0.1)


def test_tables_are_the_exact_probabilities():
    """The running sums of the textbook's terms."""
    first, binomials = _binomial_table(12, 0.3)
    terms = [math.comb(12, k) * 0.3**k * 0.7 ** (12 - k) for k in range(13)]

    assert first == 0
    assert binomials == pytest.approx([sum(terms[: k + 1]) for k in range(13)])

    _, poissons = _poisson_table(3.0)
    assert poissons[4] == pytest.approx(
        sum(math.exp(-3) * 3**k / math.factorial(k) for k in range(5))
    )


def test_what_can_only_come_out_one_way_draws_nothing():
    """Nothing of nothing, none at share 0, all at share 1: the generator stays where it was."""
    rng = Random(3)
    before = rng.getstate()

    assert (binomial(rng, 0, 0.5), binomial(rng, 9, 0.0), binomial(rng, 9, 1.0)) == (0, 0, 9)
    assert poisson(rng, 0.0) == 0
    assert rng.getstate() == before


def test_a_draw_of_almost_one_is_still_a_value():
    """Rounding never leads past the last value."""

    class Highest(Random):
        def random(self) -> float:
            return math.nextafter(1.0, 0.0)

    assert binomial(Highest(), 7, 0.5) == 7
    assert poisson(Highest(), 2.0) < 60
