"""Counting: which requests are counted for what, with which mass, and what a rollout begins with."""

from __future__ import annotations

import pytest
from analysis.looks import analysis, look, orders, play

from deployer.analysis import Counts, Evidence, Limits, Rule, begin, begin_step
from deployer.analysis.evidence import HEADROOM, share, threshold_of
from deployer.analysis.power import PLANNED as PLANNED_BY_DEFAULT
from deployer.analysis.sequential import (
    ODDS,
    RATES,
    SUCCESS_RATES,
    TAIL,
    against_limit,
    business_factors,
    limit_factors,
    live_factors,
    mass_spent,
    update,
)
from deployer.analysis.streak import NO_STREAK

PLANNED = 100.0  # so few that the second look is beyond it
CEILING = 1e9


def mass(before: int, after: int) -> float:
    return mass_spent(after, PLANNED) - mass_spent(before, PLANNED)


def test_a_signal_against_its_limit_has_the_mass_of_the_requests_so_far() -> None:
    """Look by look the statistic of the formula, within the planned requests and beyond."""
    state, _ = play(analysis(planned=PLANNED), [look(1, 80, failed=3), look(2, 70, failed=2)])
    expected = update((0.0,) * 4, limit_factors(0.05, 3, 77), mass=mass(0, 80), ceiling=CEILING)
    expected = update(expected, limit_factors(0.05, 2, 68), mass=mass(80, 150), ceiling=CEILING)

    assert state.evidence[0].statistics == pytest.approx(expected)


def test_slow_requests_are_counted_as_failed_ones_are() -> None:
    """Both signals are the same question."""
    looks = [look(at, 80, failed=at, slow=at) for at in (1, 2, 3)]
    state, _ = play(analysis(planned=PLANNED), looks)

    assert state.evidence[0].statistics == state.evidence[1].statistics


def test_live_is_held_to_the_same_test_as_the_candidate() -> None:
    """The same requests are the same evidence, within the planned requests and beyond."""
    looks = [look(at, 60, 60, failed=at, live_failed=at) for at in (1, 2, 3, 4)]
    state, _ = play(analysis(planned=PLANNED), looks)

    assert state.live_errors.statistics == pytest.approx(state.evidence[0].statistics)
    assert state.live_requests == state.requests == 240


@pytest.mark.parametrize("rule", [2, 3, 4])
def test_a_signal_against_live_has_the_mass_of_all_that_waited(rule: int) -> None:
    """The candidate's requests of both looks meet the live ones of the second."""
    what = ("failed", "slow", "refused")[rule - 2]
    first = look(1, 80, **{what: 3})
    second = look(2, 70, 900, **{what: 2, f"live_{what}": 9})
    state, _ = play(analysis(planned=PLANNED), [first, second])
    factors = live_factors(150, 900, 2.0, 5, 9)

    assert state.evidence[rule].statistics == pytest.approx(
        update((0.0,) * 3, factors, mass=mass(0, 150), ceiling=CEILING)
    )


def test_a_second_pair_of_looks_has_the_mass_since_the_first() -> None:
    """What was compared already is not compared again."""
    looks = [look(1, 60, 90, failed=2, live_failed=1), look(2, 70, 90, failed=2, live_failed=1)]
    state, _ = play(analysis(planned=PLANNED), looks)
    expected = update(
        (0.0,) * 3, live_factors(60, 90, 2.0, 2, 1), mass=mass(0, 60), ceiling=CEILING
    )
    expected = update(
        expected, live_factors(70, 90, 2.0, 2, 1), mass=mass(60, 130), ceiling=CEILING
    )

    assert state.evidence[2].statistics == pytest.approx(expected)


def test_a_business_pair_has_the_mass_of_the_requests_since_it_was_counted_last() -> None:
    """However few of them were attempts."""
    looks = [
        look(1, 80, 80),
        look(2, 70, 80, outcomes=orders(20, 12), live_outcomes=orders(30, 29)),
    ]
    state, _ = play(analysis(planned=PLANNED, business=("orders",)), looks)
    factors = business_factors((20, 8, 30, 1), margin=2.0, drop=0.10)

    assert state.evidence[5].statistics == pytest.approx(
        update((0.0,) * 6, factors, mass=mass(0, 150), ceiling=CEILING)
    )
    assert state.evidence[5].spent == pytest.approx(mass_spent(150, PLANNED))


@pytest.mark.parametrize(
    ("own", "live", "allowed"),
    [
        ((100, 94), (300, 290), True),
        ((100, 93), (300, 290), False),
        ((100, 55), (300, 180), True),
        ((100, 53), (300, 180), False),
    ],
    ids=["6 % beside 3.3", "7 % beside 3.3", "nine tenths of 60 %", "less than nine tenths"],
)
def test_a_window_is_open_while_a_pair_is_outside_of_what_is_allowed(
    own: tuple[int, int], live: tuple[int, int], *, allowed: bool
) -> None:
    """Twice as many without success as on live, and nine tenths of its successes."""
    seen = look(3, 200, 600, outcomes=orders(*own), live_outcomes=orders(*live))
    state, _ = play(analysis(business=("orders",)), [seen])

    assert state.evidence[5].since == (None if allowed else 3)


def test_each_pair_has_its_own_attempts() -> None:
    """Whatever the order in which a service exports them."""
    seen = (*orders(20, 12, name="refunds"), *orders(40, 39), *orders(10, 8, name="logins"))
    names = ("logins", "orders", "refunds")
    state, _ = play(
        analysis(planned=PLANNED, business=names),
        [look(1, 90, 90, outcomes=seen, live_outcomes=seen)],
    )
    expected = [
        update(
            (0.0,) * 6,
            business_factors((n, bad, n, bad), margin=2.0, drop=0.10),
            mass=mass(0, 90),
            ceiling=CEILING,
        )
        for n, bad in ((10, 2), (40, 1), (20, 8))
    ]

    assert [each.name for each in state.evidence[5:]] == list(names)
    assert [each.statistics for each in state.evidence[5:]] == [pytest.approx(e) for e in expected]


def test_more_successes_than_attempts_are_no_failures_less() -> None:
    """A service may count an attempt when it begins: then a look may have more that are done."""
    ahead, _ = play(
        analysis(business=("orders",)),
        [look(1, 50, 50, outcomes=orders(5, 7), live_outcomes=orders(5, 5))],
    )
    even, _ = play(
        analysis(business=("orders",)),
        [look(1, 50, 50, outcomes=orders(5, 5), live_outcomes=orders(5, 5))],
    )

    assert ahead.evidence == even.evidence


def test_statistics_stop_at_ten_times_what_rejects() -> None:
    """An hour of outage is forgotten as soon as a minute of it."""
    looks = [look(at, 100, 100, failed=100, live_failed=100) for at in range(1, 20)]
    state, _ = play(analysis(), looks)

    assert state.evidence[0].statistics == (5_000.0,) * 4
    assert state.live_errors.statistics == (5_000.0,) * 4


def test_an_instance_that_warms_up_has_neither_memory_nor_cpu_counted() -> None:
    """Its health is: who does not answer is not warming up."""
    high = {"memory_share": 0.99, "cpu_share": 0.99, "candidate_healthy": False}
    warm, _ = play(analysis(), [look(40, **high), look(41, **high)])
    fresh, _ = play(warm, [look(42, **high, instances_since=41)])

    assert (warm.memory_high.looks, warm.cpu_high.looks) == (2, 2)
    assert (fresh.memory_high, fresh.cpu_high) == (NO_STREAK, NO_STREAK)
    assert fresh.unhealthy.looks == 3


def test_each_resource_is_counted_by_itself() -> None:
    """High memory says nothing of the CPU."""
    state, _ = play(analysis(), [look(40, memory_share=0.99), look(41, memory_share=0.99)])

    assert (state.memory_high.looks, state.cpu_high) == (2, NO_STREAK)


def test_a_rollout_begins_with_nothing_seen() -> None:
    """No request, no time, no evidence; and live gets requests until a step says otherwise."""
    state = begin(Limits(), PLANNED, compare=True)

    assert (state.requests, state.live_requests, state.step) == (0, 0, Counts())
    assert (state.step_at, state.hold_seconds, state.patience_seconds) == (0.0, 0.0, 0.0)
    assert {signal.value for signal in (*state.evidence, state.live_errors)} == {0.0}
    assert {
        (each.requests, each.bad, each.live_requests, each.live_bad, each.since, each.spent)
        for each in state.evidence
    } == {(0, 0, 0, 0, None, 0.0)}
    assert state.beside_live


def test_a_step_begins_with_its_own_times_and_counts() -> None:
    """The rollout's evidence goes on."""
    state, _ = play(analysis(), [look(1, 50, 50, failed=2)])
    step = begin_step(state, at=7.0, hold_seconds=8.0, patience_seconds=9.0)

    assert (step.step_at, step.hold_seconds, step.patience_seconds) == (7.0, 8.0, 9.0)
    assert (step.step, step.requests) == (Counts(), 50)
    assert step.evidence == state.evidence


def test_the_limits_are_the_missions() -> None:
    """Who sets none gets these."""
    limits = Limits()

    assert (limits.error_share, limits.slow_share, limits.slow_seconds) == (0.05, 0.05, 1.0)
    assert (limits.health_failures, limits.resource_share, limits.resource_looks) == (3, 0.90, 3)
    assert (limits.warmup_seconds, limits.alpha) == (30.0, 0.01)
    assert (limits.detect_share, limits.detect_power) == (0.20, 0.90)
    assert (limits.margin, limits.business_drop) == (2.0, 0.10)


def test_what_has_no_alternative_or_no_request_has_no_evidence_and_no_share() -> None:
    """Nothing divided by nothing is nothing here."""
    assert Evidence(Rule.ERROR_SHARE, ()).value == 0.0
    assert Evidence(Rule.ERROR_SHARE, (1.0, 4.0)).value == 2.5
    assert (share(0, 0), share(1, 4)) == (0.0, 0.25)


def test_signals_share_alpha_equally() -> None:
    """Six at 1 % reject above 600."""
    assert threshold_of(Limits(), signals=6) == pytest.approx(600.0)


def test_the_tables_are_of_these_alternatives() -> None:
    """Who changes one has to measure them anew: in the docstrings, and in the concepts."""
    assert (ODDS, RATES) == ((1.4, 2.0, 5.0, 20.0), (2.0, 8.0, 50.0))
    assert SUCCESS_RATES == (1.25, 2.0, 10.0)
    assert (TAIL, PLANNED_BY_DEFAULT, HEADROOM) == (0.1, 10_000.0, 10.0)


@pytest.mark.parametrize("limit", [1.0, 1.5])
def test_nothing_exceeds_a_limit_of_everything(limit: float) -> None:
    """So there is no alternative to it."""
    assert against_limit(limit) == ()
