"""A good release replaces a broken live one at once, and a bad one does not."""

from __future__ import annotations

import random

import pytest
from analysis.looks import analysis, kinds, look, play

from deployer.analysis import Rule, VerdictKind, begin_step
from deployer.analysis.judge import judge

PASS, MORE_DATA = VerdictKind.PASS, VerdictKind.MORE_DATA
LONG = {"hold": 900, "patience": 900}


def test_a_good_candidate_beside_a_broken_live_slot_passes_before_its_hold_is_over() -> None:
    """As soon as the step has the requests that would have shown a fault."""
    looks = [look(at, 20, 180, live_failed=90) for at in range(1, 12)]
    _, verdicts = play(analysis(**LONG), looks)

    assert [verdict.kind for verdict in verdicts[:9]] == [MORE_DATA] * 9
    assert (verdicts[9].kind, verdicts[9].rule) == (PASS, Rule.LIVE_BROKEN)
    assert verdicts[9].reason == (
        "live is broken: 900 of 1,800 requests (50 %) failed there, limit 5 %; evidence 5,000 passes "
        "500; on the candidate 0 of 200 requests (0 %) failed, so it does not wait for its hold"
    )
    assert dict(verdicts[9].numbers)["since"] == 1


def test_a_live_slot_within_its_limit_lets_nobody_hurry() -> None:
    """The negative control: 4.9 % on live for 40,000 requests, and the candidate at nothing."""
    rng = random.Random(103)
    looks = [
        look(at, 20, 180, live_failed=sum(rng.random() < 0.049 for _ in range(180)))
        for at in range(1, 220)
    ]
    _, verdicts = play(analysis(**LONG), looks)

    assert kinds(verdicts) == {MORE_DATA}


def test_a_candidate_that_is_just_as_bad_is_held() -> None:
    """Then it is not the release that is broken, and nothing is gained by replacing it."""
    looks = [look(at, 20, 180, failed=10, live_failed=90) for at in range(1, 30)]
    _, verdicts = play(analysis(**LONG), looks)

    assert verdicts[-1].rule is Rule.BOTH_SLOTS_BAD
    assert PASS not in kinds(verdicts)


def test_a_candidate_above_the_limit_that_is_not_yet_rejected_does_not_pass() -> None:
    """6 % of its requests is more than is allowed, test or no test."""
    looks = [look(at, 50, 180, failed=3, live_failed=90) for at in range(1, 8)]
    _, verdicts = play(analysis(**LONG), looks)

    assert kinds(verdicts) == {MORE_DATA}


@pytest.mark.parametrize(
    "wrong", [{"candidate_healthy": False}, {"memory_share": 0.95}, {"refused": 15}]
)
def test_anything_else_that_speaks_against_the_candidate_is_waited_for(
    wrong: dict[str, object],
) -> None:
    """A failed health check, memory that is high, and 4xx that live does not have."""
    good = [look(at, 20, 180, live_failed=90) for at in range(31, 40)]
    _, verdicts = play(analysis(**LONG), [*good, look(40, 20, 180, live_failed=90, **wrong)])

    assert PASS not in kinds(verdicts)


def test_a_candidate_at_its_limit_exactly_is_within_it() -> None:
    """5 % is what is allowed."""
    looks = [look(at, 20, 180, failed=1, live_failed=150) for at in range(1, 11)]
    _, verdicts = play(analysis(**LONG), looks)

    assert (verdicts[-1].kind, verdicts[-1].rule) == (PASS, Rule.LIVE_BROKEN)


def test_few_requests_are_not_enough() -> None:
    """A candidate of which nobody knows anything is no better than a broken live one."""
    looks = [look(at, 1, 180, live_failed=180) for at in range(1, 100)]
    _, verdicts = play(analysis(**LONG), looks)

    assert kinds(verdicts) == {MORE_DATA}


def test_every_step_asks_for_its_own_requests() -> None:
    """More weight may be what breaks the candidate."""
    broken = [look(at, 20, 180, live_failed=90) for at in range(1, 11)]
    state, verdicts = play(analysis(**LONG), broken)
    state = begin_step(state, at=10, hold_seconds=900, patience_seconds=900)
    _, later = play(state, [look(11, 100, 100, live_failed=50), look(12, 100, 100, live_failed=50)])

    assert verdicts[-1].kind is PASS
    assert [verdict.kind for verdict in later] == [MORE_DATA, PASS]


@pytest.mark.parametrize("beside_live", [True, False])
def test_what_is_known_of_live_counts_only_while_it_gets_requests(*, beside_live: bool) -> None:
    """The first look after the weight changed still holds live's last requests; no later one does."""
    broken = [look(at, 20, 180, live_failed=90) for at in range(1, 11)]
    state, _ = play(analysis(**LONG), broken)
    state = begin_step(
        state, at=10, hold_seconds=900, patience_seconds=900, beside_live=beside_live
    )
    _, later = play(state, [look(11, 200, 90, live_failed=45), *(look(12, 200) for _ in range(3))])

    assert kinds(later) == ({PASS} if beside_live else {MORE_DATA})


def test_a_step_that_was_beside_no_live_slot_passes_when_its_hold_is_over() -> None:
    """Not to be hurried is not to be held for ever."""
    state, _ = play(analysis(**LONG), [look(at, 20, 180, live_failed=90) for at in range(1, 11)])
    state = begin_step(state, at=10, hold_seconds=30, patience_seconds=30, beside_live=False)
    _, later = play(state, [look(39, 200), look(40, 200)])

    assert [(verdict.kind, verdict.rule) for verdict in later] == [
        (MORE_DATA, Rule.HOLDING),
        (PASS, Rule.HOLD_OVER),
    ]


def test_a_live_slot_that_recovered_is_not_broken() -> None:
    """Its evidence falls with each good request, so the hold counts again."""
    outage = [look(at, 2, 180, live_failed=90) for at in range(1, 5)]
    after = [look(at, 20, 180) for at in range(5, 30)]
    _, verdicts = play(analysis(**LONG), [*outage, *after])

    assert kinds(verdicts) == {MORE_DATA}


def test_a_first_deployment_has_no_live_slot_to_be_broken() -> None:
    """Requests that another slot gets say nothing then."""
    state, verdict = judge(analysis(compare=False, **LONG), look(1, 500, 500, live_failed=500))

    assert (verdict.kind, state.live_errors.value) == (MORE_DATA, 0)
