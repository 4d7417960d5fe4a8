"""What would have changed a verdict: a sentence that is true when it is tried."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from analysis.looks import analysis, look, orders, play
from analysis.test_judge import looks_of_any_kind
from hypothesis import given, settings

from deployer.analysis import (
    Analysis,
    Limits,
    Look,
    Rule,
    Verdict,
    VerdictKind,
    judge,
    what_would_change,
)
from deployer.analysis.power import evenly_rejects
from deployer.analysis.sequential import against_limit, mass_spent

FAIL = VerdictKind.FAIL


def ends(state: Analysis, *looks: Look) -> tuple[Verdict, str]:
    """The last verdict, and what would have changed it."""
    state, verdicts = play(state, looks)
    return verdicts[-1], what_would_change(state, verdicts[-1])


def evenly(bad: int, of: int, *, what: str, live: int = 0, live_bad: int = 0) -> list[Look]:
    """So many bad requests one by one in a window of so many, as evenly as they go."""
    return [
        look(
            at,
            1,
            live // of,
            **{
                what: (at + 1) * bad // of - at * bad // of,
                f"live_{what}": (at + 1) * live_bad // of - at * live_bad // of,
            },
        )
        for at in range(of)
    ]


def selling(successes: int) -> list[Look]:
    """Two hundred attempts of which so many succeed, beside 570 of 600 on live, evenly."""
    done = [[(at + 1) * n // 100 - at * n // 100 for n in (successes, 570)] for at in range(100)]
    return [
        look(at, 2, 6, outcomes=orders(2, own), live_outcomes=orders(6, others))
        for at, (own, others) in enumerate(done)
    ]


@pytest.mark.parametrize(
    ("what", "rule"), [("failed", Rule.ERROR_SHARE), ("slow", Rule.SLOW_SHARE)]
)
def test_a_share_above_its_limit_says_how_many_fewer_would_have_done(what: str, rule: Rule) -> None:
    """Tried: with so many it does not fail, with a few more it does."""
    verdict, sentence = ends(analysis(), look(1, 100, **{what: 40}))
    most = int(sentence.split()[0])

    assert verdict.rule is rule
    assert (
        sentence
        == f"{most} {what} requests of the 100, {40 - most} fewer, would not have failed it"
    )
    assert FAIL not in {v.kind for v in play(analysis(), evenly(most - 1, 100, what=what))[1]}
    assert FAIL in {v.kind for v in play(analysis(), evenly(most + 3, 100, what=what))[1]}


def test_a_share_that_was_just_enough_needs_one_fewer() -> None:
    """Whatever the order of the requests in a look: never none fewer."""
    state = analysis()
    bad = next(n for n in range(100) if judge(state, look(1, 100, failed=n))[1].kind is FAIL)
    _, sentence = ends(state, look(1, 100, failed=bad))

    assert int(sentence.split()[0]) < bad


@pytest.mark.parametrize(
    ("what", "rule"),
    [
        ("failed", Rule.ERRORS_AGAINST_LIVE),
        ("slow", Rule.SLOW_AGAINST_LIVE),
        ("refused", Rule.REFUSALS_AGAINST_LIVE),
    ],
)
def test_a_share_against_live_says_how_many_fewer_would_have_done(what: str, rule: Rule) -> None:
    """Live being what it was."""
    bad = look(1, 1_000, 9_000, **{what: 40, f"live_{what}": 9})
    verdict, sentence = ends(analysis(), bad)
    most = int(sentence.split()[0])

    assert verdict.rule is rule
    assert f"{what} requests of the 1,000, {40 - most} fewer" in sentence
    live = {"live": 9_000, "live_bad": 9}
    fewer = play(analysis(), evenly(most - 1, 1_000, what=what, **live))[1]
    as_many = play(analysis(), evenly(most + 4, 1_000, what=what, **live))[1]
    assert FAIL not in {v.kind for v in fewer}
    assert FAIL in {v.kind for v in as_many}


def test_a_business_pair_says_how_many_more_had_to_succeed() -> None:
    """Of the window's attempts."""
    seen = {"live_outcomes": orders(600, 570)}
    state = analysis(business=("orders",))
    verdict, sentence = ends(state, look(1, 200, 600, outcomes=orders(200, 120), **seen))
    needed = int(sentence.split()[0])

    assert verdict.rule is Rule.BUSINESS
    assert sentence == (
        f"{needed} successes of the 200 attempts, {needed - 120} more, would not have failed it"
    )
    assert 130 < needed < 180
    better, worse = (play(state, selling(needed + n))[1] for n in (4, -4))
    assert FAIL not in {v.kind for v in better}
    assert FAIL in {v.kind for v in worse}


def test_health_would_have_been_saved_by_one_good_check() -> None:
    """Among those that were counted."""
    looks = [look(at, candidate_healthy=False) for at in range(4)]

    assert ends(analysis(), *looks)[1] == (
        "one good health check among the last 4 looks would have begun the count anew"
    )


@pytest.mark.parametrize(("field", "word"), [("memory_share", "memory"), ("cpu_share", "CPU")])
def test_a_resource_would_have_been_saved_by_one_look_below(field: str, word: str) -> None:
    """At the limit or below."""
    looks = [look(at, **{field: 0.95}) for at in range(40, 43)]

    assert ends(analysis(), *looks)[1] == (
        f"{word} at 90 % or below in one of the last 3 looks would have begun the count anew"
    )


def test_a_pass_says_how_many_bad_requests_would_have_failed_it() -> None:
    """Tried: so many fail it, a few fewer do not."""
    verdict, sentence = ends(analysis(), look(60, 500, failed=3))
    match = re.fullmatch(
        r"(\d+) failed ones or \1 slow ones of the step's 500 requests would have failed it",
        sentence,
    )
    assert verdict.kind is VerdictKind.PASS
    assert match is not None
    least = int(match[1])

    assert FAIL in {v.kind for v in play(analysis(), evenly(least + 3, 500, what="failed"))[1]}
    assert FAIL not in {v.kind for v in play(analysis(), evenly(least - 4, 500, what="failed"))[1]}


def test_the_number_that_would_have_failed_a_pass_is_the_least_that_does() -> None:
    """By the formula that it is reckoned with: evenly spread, one fewer does not reject."""
    found = re.match(r"(\d+)", ends(analysis(), look(60, 500, failed=3))[1])
    assert found is not None
    mass = mass_spent(500, 10_000)

    def rejects(bad: int) -> bool:
        logarithms = [bad * a + (500 - bad) * b for a, b in against_limit(0.05)]
        return evenly_rejects(logarithms, mass=mass, alpha=1 / 500)

    assert (rejects(int(found[1])), rejects(int(found[1]) - 1)) == (True, False)


def test_a_pass_where_everything_is_allowed_says_so() -> None:
    """No number of bad requests fails it."""
    limits = Limits(error_share=1.0, slow_share=1.0)

    assert ends(analysis(limits=limits, compare=False), look(60, 500))[1] == (
        "not even a step of bad requests only would have failed it"
    )


def test_a_pass_for_a_broken_live_slot_says_when_it_would_have_waited() -> None:
    """Had live failed less."""
    looks = [look(at, 20, 180, live_failed=90) for at in range(1, 11)]
    verdict, sentence = ends(analysis(hold=900), *looks)

    assert verdict.rule is Rule.LIVE_BROKEN
    assert re.fullmatch(
        r"\d+ failed requests of live's 1,800, \d+ fewer, would have left the candidate to its hold",
        sentence,
    )


def test_a_hold_for_both_slots_says_when_it_would_have_been_the_candidates_fault() -> None:
    """Had live been within its limit."""
    looks = [look(at, 10, 90, failed=4, live_failed=36) for at in range(1, 10)]
    verdict, sentence = ends(analysis(), *looks)

    assert verdict.rule is Rule.BOTH_SLOTS_BAD
    assert sentence == (
        "40 bad requests of live's 810, instead of 324, would have made it a fail of the candidate"
    )


@pytest.mark.parametrize("at", [60, 1_000])
def test_too_few_requests_say_how_many_are_missing(at: float) -> None:
    """Before patience is over and after."""
    assert ends(analysis(), look(at, 60))[1] == (
        "122 more requests to the candidate would have let it pass"
    )


@pytest.mark.parametrize(
    ("seen", "sentence"),
    [
        (look(10, 100), "50 s more of the hold and 82 more requests to the candidate"),
        (look(10, 500), "50 s more of the hold"),
        (look(60, 500, candidate_healthy=False), "a good look after 1 bad ones"),
    ],
    ids=["hold and requests", "hold", "a streak"],
)
def test_a_step_that_is_held_says_what_is_missing(seen: Look, sentence: str) -> None:
    """Time, requests, or a good look."""
    assert ends(analysis(), seen)[1] == f"{sentence} would let it pass"


def test_blind_asks_for_an_answer() -> None:
    """Nothing else helps."""
    assert ends(analysis(), look(1, reachable=False))[1] == (
        "an answer of the router's metrics would have said more"
    )


def test_a_share_that_is_allowed_again_says_so() -> None:
    """Asked on after the fail: there is no window left to take requests from."""
    outage = look(1, 100, 900, failed=100, outcomes=orders(9, 0), live_outcomes=orders(99, 99))
    good = look(
        2, 2_000, 9_000, live_failed=400, outcomes=orders(99, 99), live_outcomes=orders(99, 79)
    )
    state, _ = play(analysis(business=("orders",)), [outage, good])
    high = [replace(each, statistics=(9_000.0,) * len(each.statistics)) for each in state.evidence]
    sentences = [
        what_would_change(replace(state, evidence=tuple(high)), Verdict(FAIL, rule, ""))
        for rule in (Rule.ERROR_SHARE, Rule.ERRORS_AGAINST_LIVE, Rule.BUSINESS)
    ]

    assert all("allowed again" in sentence for sentence in sentences)


@pytest.mark.parametrize(("requests", "allowed"), [(200, 29), (1_000, 84), (100_000, 5_907)])
def test_of_one_very_large_look_it_allows_a_few_too_many(requests: int, allowed: int) -> None:
    """The judge takes a look whole: told are up to seven more than would really have passed."""
    passes, _ = ends(analysis(), look(1, requests, failed=allowed))
    fails, sentence = ends(analysis(), look(1, requests, failed=allowed + 1))
    found = re.match(r"([\d,]+) failed", ends(analysis(), look(1, requests, failed=2 * allowed))[1])

    assert (passes.kind is FAIL, fails.kind is FAIL) == (False, True)
    assert found is not None
    assert 0 < int(found[1].replace(",", "")) - allowed <= 7
    assert "would not have failed it" in sentence


@settings(max_examples=50, deadline=None)
@given(looks_of_any_kind)
def test_every_verdict_can_be_asked(looks: list[Look]) -> None:
    """Whatever was seen: a sentence, and no exception."""
    state = analysis(business=("orders",), hold=100)
    for each in looks:
        state, verdict = judge(state, each)
        assert what_would_change(state, verdict)
