"""The judge: five verdicts, each by a rule with a name, a sentence and its numbers."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import pytest
from analysis.looks import analysis, first, kinds, look, orders, play
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from deployer.analysis import (
    Analysis,
    Counts,
    Evidence,
    Latency,
    Limits,
    Look,
    Rule,
    Verdict,
    VerdictKind,
    begin,
    begin_step,
    judge,
)

PASS, FAIL, HOLD = VerdictKind.PASS, VerdictKind.FAIL, VerdictKind.HOLD
MORE_DATA, BLIND = VerdictKind.MORE_DATA, VerdictKind.BLIND


def traffic(
    rng: random.Random,
    looks: int,
    *,
    share: float,
    live_share: float,
    requests: int = 2,
    live: int = 18,
    what: str = "failed",
) -> list[Look]:
    def bad(n: int, chance: float) -> int:
        return sum(rng.random() < chance for _ in range(n))

    return [
        look(
            at,
            requests,
            live,
            **{what: bad(requests, share), f"live_{what}": bad(live, live_share)},
        )
        for at in range(looks)
    ]


# The way of a step that is fine


def test_a_step_is_held_until_its_time_is_over() -> None:
    """Before the hold is over a good step is more-data, by a rule of its own."""
    _, verdicts = play(analysis(), [look(at, 100) for at in (1, 59)])

    assert [(v.kind, v.rule) for v in verdicts] == [(MORE_DATA, Rule.HOLDING)] * 2
    assert verdicts[1].reason == "held 59 of 60 s; 200 of 182 requests"


def test_a_step_passes_when_its_hold_is_over_and_a_fault_would_have_shown() -> None:
    """Pass says how long, how many, and what they would have shown."""
    _, verdicts = play(analysis(), [look(30, 1_000, failed=3), look(60, 204, slow=2)])

    assert (verdicts[-1].kind, verdicts[-1].rule) == (PASS, Rule.HOLD_OVER)
    assert verdicts[-1].reason == (
        "held 60 s: of 1,204 requests 3 failed and 2 were slow; "
        "182 would have shown a 20 % fault with 90 %"
    )
    assert dict(verdicts[-1].numbers)["requests"] == 1204


def test_too_few_requests_say_how_many_are_missing_and_how_long_that_takes() -> None:
    """At 1 request/s the 122 missing ones take 122 s."""
    _, verdicts = play(analysis(), [look(60, 60)])

    assert (verdicts[0].kind, verdicts[0].rule) == (MORE_DATA, Rule.TOO_FEW_REQUESTS)
    assert verdicts[0].reason == (
        "60 of the 182 requests that would show a 20 % fault with 90 %: "
        "122 more, about 122 s at 1 requests/s"
    )
    assert dict(verdicts[0].numbers)["seconds"] == pytest.approx(122)


@pytest.mark.parametrize(("at", "kind"), [(119, MORE_DATA), (120, HOLD)])
def test_patience_that_is_over_asks_a_person(at: float, kind: VerdictKind) -> None:
    """Patience begins when the hold is over; without a request there is no time to tell."""
    _, verdicts = play(analysis(hold=60, patience=60), [look(at)])

    assert (verdicts[0].kind, verdicts[0].rule) == (kind, Rule.TOO_FEW_REQUESTS)
    assert "182 more, none came so far" in verdicts[0].reason
    assert ("a person decides" in verdicts[0].reason) is (kind is HOLD)


def test_requests_missing_at_the_very_beginning_have_no_rate_yet() -> None:
    """No time has passed, so nobody says how long the rest will take."""
    _, verdicts = play(analysis(hold=0), [look(0, 82)])
    numbers = dict(verdicts[0].numbers)

    assert verdicts[0].reason.endswith(": 100 more, none came so far")
    assert (numbers["rate"], "seconds" in numbers) == (0.0, False)


@pytest.mark.parametrize(("at", "kind"), [(119.9, MORE_DATA), (120, HOLD)])
def test_patience_is_over_at_its_last_second(at: float, kind: VerdictKind) -> None:
    """It begins when the hold is over, and ends on time."""
    _, verdicts = play(analysis(hold=60, patience=60), [look(at, 10)])

    assert verdicts[0].kind is kind


def test_late_requests_still_pass_after_patience() -> None:
    """A hold for want of requests is no end: when they come, the step passes."""
    _, verdicts = play(analysis(), [look(130), look(140, 182)])

    assert [verdict.kind for verdict in verdicts] == [HOLD, PASS]


def test_a_step_counts_its_own_requests_only() -> None:
    """The requests of the step before do not let the next one pass."""
    state, _ = play(analysis(), [look(30, 5_000)])
    state = begin_step(state, at=100, hold_seconds=10, patience_seconds=60)
    _, verdicts = play(state, [look(110, 10)])

    assert verdicts[0].rule is Rule.TOO_FEW_REQUESTS


def test_a_step_without_a_hold_passes_at_its_first_sufficient_look() -> None:
    """Zero seconds are a hold, too."""
    _, verdicts = play(analysis(hold=0), [look(0, 182)])

    assert verdicts[0].kind is PASS


# Shares above their limits


def test_failed_requests_above_the_limit_fail() -> None:
    """The sentence has the counts since the fault began, the limit and the evidence."""
    _, verdicts = play(analysis(), [look(1, 5_000), look(2, 50, 0, failed=25)])

    assert (verdicts[1].kind, verdicts[1].rule) == (FAIL, Rule.ERROR_SHARE)
    assert verdicts[1].reason == (
        "25 of 50 requests (50 %) failed, limit 5 %; evidence 3,752 passes 500"
    )
    assert dict(verdicts[1].numbers)["share"] == 0.5


@pytest.mark.parametrize(("what", "limit"), [("failed", 0.02), ("slow", 0.2)])
def test_failed_and_slow_requests_have_a_limit_each(what: str, limit: float) -> None:
    """A verdict names its own, and what the other allows is no matter."""
    limits = Limits(error_share=0.02, slow_share=0.2)
    looks = [look(1, 500, **{what: 45}), look(2, 500, **{what: 300})]
    state, verdicts = play(analysis(limits=limits), looks)

    assert verdicts[0].kind is (FAIL if what == "failed" else MORE_DATA)
    assert dict(verdicts[1].numbers)["limit"] == limit
    assert {len(signal.statistics) for signal in state.evidence[:2]} == {4}


def test_a_fail_says_when_the_fault_began() -> None:
    """The look at which the share first left what is allowed, not the one that found it."""
    looks = [
        look(1, 500, failed=1),
        look(7, 10, failed=4),
        look(8, 10, failed=4),
        look(9, 50, failed=30),
    ]
    state, verdicts = play(analysis(), looks)

    assert [verdict.kind for verdict in verdicts] == [MORE_DATA] * 3 + [FAIL]
    assert dict(verdicts[3].numbers)["since"] == state.evidence[0].since == 7


def test_a_share_that_is_allowed_again_forgets_when_it_began() -> None:
    """One failed request early in a rollout is not the beginning of a later fault."""
    state, _ = play(analysis(), [look(1, 10, failed=1)])
    after, _ = play(state, [look(2, 100)])

    assert (state.evidence[0].since, after.evidence[0].since) == (1, None)


def test_slow_requests_above_the_limit_fail() -> None:
    """The share above 1 s is the question that p95 above 1 s asks."""
    _, verdicts = play(analysis(), [look(1, 100, slow=30)])

    assert (verdicts[0].kind, verdicts[0].rule) == (FAIL, Rule.SLOW_SHARE)
    assert verdicts[0].reason.startswith(
        "30 of 100 requests (30 %) took longer than 1 s, limit 5 %"
    )


def test_evidence_carries_on_over_the_steps() -> None:
    """A fault that half showed in one step needs only the other half in the next."""
    half = look(1, 50, failed=10)
    state, before = play(analysis(), [half])
    state = begin_step(state, at=100, hold_seconds=10, patience_seconds=60)
    _, after = play(state, [replace(half, at=101)])
    _, alone = play(analysis(), [half])

    assert (before[0].kind, after[0].kind) == (MORE_DATA, FAIL)
    assert alone[0].kind is MORE_DATA


def test_a_single_failed_request_is_no_fault() -> None:
    """100 % of one request is above 5 %, and says nothing."""
    _, verdicts = play(analysis(), [look(1, 1, failed=1)])

    assert verdicts[0].kind is MORE_DATA


def test_more_bad_requests_than_requests_count_as_all() -> None:
    """The router's page is not written in one moment."""
    torn, _ = judge(analysis(), look(1, 2, failed=3))
    whole, _ = judge(analysis(), look(1, 2, failed=2))

    assert torn.evidence == whole.evidence


def test_a_limit_of_one_allows_everything() -> None:
    """An environment may switch a limit off by allowing all of it."""
    limits = Limits(error_share=1.0, slow_share=1.0)
    _, verdicts = play(analysis(limits=limits, hold=0, compare=False), [look(1, 500, failed=500)])

    assert verdicts[0].kind is PASS


def test_a_limit_above_the_share_to_detect_still_begins() -> None:
    """Where 20 % is allowed, what has to show is a fault of four times the odds."""
    needed = begin(Limits(error_share=0.2, slow_share=0.2), 10_000, compare=True).needed_requests

    assert 20 < needed < 182


# Against live


@pytest.mark.parametrize(
    ("what", "rule", "did"),
    [
        ("failed", Rule.ERRORS_AGAINST_LIVE, "failed"),
        ("slow", Rule.SLOW_AGAINST_LIVE, "took longer than 1 s"),
        ("refused", Rule.REFUSALS_AGAINST_LIVE, "were refused (4xx)"),
    ],
)
def test_bad_more_often_than_live_fails_below_the_limit(what: str, rule: Rule, did: str) -> None:
    """4 % against 0.1 % is within the limit, and still a fault of the release."""
    bad = look(1, 1_000, 9_000, **{what: 40, f"live_{what}": 9})
    _, verdicts = play(analysis(), [bad])

    assert (verdicts[0].kind, verdicts[0].rule) == (FAIL, rule)
    assert verdicts[0].reason == (
        f"40 of 1,000 requests (4 %) {did} on the candidate and 9 of 9,000 requests (0.1 %) on "
        "live over the same seconds, 2 times as often is allowed; evidence 5,000 passes 500"
    )


def test_an_auth_that_refuses_every_token_is_found() -> None:
    """All 4xx, not one 5xx: ten requests will do when live refuses few."""
    looks = [look(at, 2, 18, refused=2, live_refused=at % 2) for at in range(1, 11)]
    _, verdicts = play(analysis(), looks)
    found = first(verdicts, FAIL)

    assert found is not None
    assert found.rule is Rule.REFUSALS_AGAINST_LIVE


def test_slightly_more_often_than_live_is_no_fault() -> None:
    """0.12 % against 0.10 %, for 100,000 requests of the candidate."""
    looks = [look(at, 10_000, 90_000, failed=12, live_failed=90) for at in range(10)]
    _, verdicts = play(analysis(), looks)

    assert kinds(verdicts) == {MORE_DATA}


@pytest.mark.parametrize(("failed", "kind"), [(2, MORE_DATA), (5, MORE_DATA), (20, FAIL)])
def test_a_live_slot_without_a_failure_is_no_proof_by_itself(
    failed: int, kind: VerdictKind
) -> None:
    """1 % against none fails when there is evidence for it, and not on two or five failures."""
    _, verdicts = play(analysis(), [look(1, 100 * failed, 900 * failed, failed=failed)])

    assert verdicts[0].kind is kind


def test_requests_of_one_slot_wait_for_the_others() -> None:
    """At a low weight most looks have no request of the candidate: nothing of live is lost."""
    apart = [look(1, 0, 90, live_failed=4), look(2, 10, 0, failed=1), look(3, 0, 10)]
    together = [look(2, 10, 90, failed=1, live_failed=4)]
    one, _ = play(analysis(), [*apart[:2]])
    other, _ = play(analysis(), together)

    assert one.evidence == other.evidence
    assert (one.waiting, one.live_waiting) == (Counts(), Counts())


def test_requests_of_the_candidate_wait_for_live() -> None:
    """The other way round, at a high weight, and with the mass that they stand for."""
    one, _ = play(analysis(), [look(1, 5, failed=1), look(2, 5), look(3, 0, 2)])
    assert one.waiting == Counts()  # live came, and nothing waits any more

    waiting, _ = play(analysis(), [look(1, 5, failed=1), look(2, 5)])
    paired, _ = judge(waiting, look(3, 10, 2))
    whole, _ = judge(analysis(), look(3, 20, 2, failed=1))

    assert waiting.waiting == Counts(10, failed=1)
    assert paired.evidence[2].statistics == pytest.approx(whole.evidence[2].statistics)


# Both slots bad


def test_both_slots_bad_alike_is_held() -> None:
    """The database is down: going back would not help, so a person decides."""
    looks = [look(at, 10, 90, failed=4, live_failed=36) for at in range(1, 10)]
    _, verdicts = play(analysis(), looks)
    decided = first(verdicts, FAIL, HOLD)

    assert decided is not None
    assert (decided.kind, decided.rule) == (HOLD, Rule.BOTH_SLOTS_BAD)
    assert "on the candidate and" in decided.reason
    assert FAIL not in kinds(verdicts)


def test_a_bad_candidate_beside_a_good_live_slot_is_not_held() -> None:
    """The negative control: the same candidate fails when live is well."""
    looks = [look(at, 10, 90, failed=4, live_failed=1) for at in range(1, 10)]
    _, verdicts = play(analysis(), looks)

    assert FAIL in kinds(verdicts)
    assert HOLD not in kinds(verdicts)


def test_a_candidate_far_worse_than_a_bad_live_slot_fails() -> None:
    """Live at 8 % does not excuse a candidate at 90 %."""
    looks = [look(at, 10, 90, failed=9, live_failed=7) for at in range(1, 10)]
    _, verdicts = play(analysis(), looks)

    assert verdicts[-1].kind is FAIL
    assert verdicts[-1].rule is Rule.ERRORS_AGAINST_LIVE


def test_another_signal_that_fails_is_not_held() -> None:
    """Both slots fail alike, but only the candidate is slow as well."""
    both = {"failed": 4, "live_failed": 36}
    looks = [look(at, 10, 90, slow=6, **both) for at in range(1, 10)]
    _, verdicts = play(analysis(), looks)

    assert FAIL in kinds(verdicts)


def test_a_slow_candidate_without_a_word_of_live_fails_while_both_fail() -> None:
    """The fail of one own signal comes before the hold of the other."""
    state = analysis()
    both, slow = (
        Evidence(Rule.ERROR_SHARE, (5_000.0,) * 4, 10, 5, 10, 5),
        Evidence(Rule.SLOW_SHARE, (5_000.0,) * 4, 10, 5, 10, 0),
    )
    _, verdict = judge(replace(state, evidence=(both, slow, *state.evidence[2:])), look(1))

    assert (verdict.kind, verdict.rule) == (FAIL, Rule.SLOW_SHARE)


@pytest.mark.parametrize(("live_bad", "kind"), [(5, FAIL), (6, HOLD)])
def test_a_live_slot_at_its_limit_exactly_is_not_bad(live_bad: int, kind: VerdictKind) -> None:
    """5 % of live's requests are allowed, so they excuse nobody."""
    state = analysis()
    rejecting = Evidence(Rule.ERROR_SHARE, (5_000.0,) * 4, 10, 5, 100, live_bad)
    _, verdict = judge(replace(state, evidence=(rejecting, *state.evidence[1:])), look(1))

    assert verdict.kind is kind


def test_evidence_at_the_threshold_exactly_rejects_nothing() -> None:
    """It has to pass it: that is what the bound says."""
    state = analysis()
    at_it = Evidence(Rule.ERROR_SHARE, (500.0,) * 4, 10, 5)
    _, verdict = judge(replace(state, evidence=(at_it, *state.evidence[1:])), look(1))

    assert verdict.kind is MORE_DATA


def test_a_live_slot_that_recovers_leaves_the_candidate_to_fail() -> None:
    """The hold is no pardon: when only the candidate stays bad, it fails."""
    outage = [look(at, 10, 90, failed=4, live_failed=36) for at in range(1, 20)]
    after = [look(at, 10, 90, failed=4) for at in range(20, 60)]
    _, verdicts = play(analysis(), [*outage, *after])

    assert FAIL not in kinds(verdicts[:19])
    assert verdicts[-1].kind is FAIL


def test_an_outage_of_both_slots_that_ends_lets_the_step_pass() -> None:
    """However long it was: the statistics were cut off at their ceiling."""
    outage = [look(at, 10, 90, failed=9, live_failed=81) for at in range(1, 300)]
    after = [look(at, 10, 90) for at in range(300, 400)]
    _, verdicts = play(analysis(), [*outage, *after])

    assert FAIL not in kinds(verdicts)
    assert verdicts[298].kind is HOLD
    assert verdicts[-1].kind is PASS


@pytest.mark.parametrize("compare", [True, False])
def test_without_requests_on_live_a_bad_candidate_fails(*, compare: bool) -> None:
    """At a weight of 100, and in a first deployment, nothing else can be blamed."""
    _, verdicts = play(analysis(compare=compare), [look(1, 100, failed=30)])

    assert (verdicts[0].kind, verdicts[0].rule) == (FAIL, Rule.ERROR_SHARE)


def test_a_first_deployment_shares_alpha_between_two_signals() -> None:
    """Without a live slot there is nothing to compare with, so the rest gets more of alpha."""
    state = begin(Limits(), 10_000, compare=False)

    assert [signal.rule for signal in state.evidence] == [Rule.ERROR_SHARE, Rule.SLOW_SHARE]
    assert state.needed_requests < begin(Limits(), 10_000, compare=True).needed_requests


# What is counted in a row


def test_the_fourth_failed_health_check_in_a_row_fails() -> None:
    """Three are allowed."""
    _, verdicts = play(analysis(), [look(at, candidate_healthy=False) for at in range(1, 5)])

    assert [verdict.kind for verdict in verdicts] == [MORE_DATA] * 3 + [FAIL]
    assert verdicts[3].rule is Rule.HEALTH
    assert verdicts[3].reason == "health failed 4 times in a row, 3 are allowed"
    assert dict(verdicts[3].numbers)["since"] == 1


def test_a_good_health_check_begins_the_count_anew() -> None:
    """Three failures, a success, three failures: no four in a row."""
    health = [False] * 3 + [True] + [False] * 3
    _, verdicts = play(analysis(), [look(at, candidate_healthy=ok) for at, ok in enumerate(health)])

    assert FAIL not in kinds(verdicts)


def test_health_that_was_not_seen_neither_counts_nor_forgives() -> None:
    """Three failures, nothing, and a failure are four in a row."""
    health = [False, False, None, False, None, False]
    _, verdicts = play(analysis(), [look(at, candidate_healthy=ok) for at, ok in enumerate(health)])

    assert [verdict.kind for verdict in verdicts] == [MORE_DATA] * 5 + [FAIL]


def test_a_step_does_not_pass_on_a_failed_health_check() -> None:
    """The hold is over and the requests are there, but something is being counted."""
    _, verdicts = play(analysis(), [look(60, 500, candidate_healthy=False), look(61, 1)])

    assert [verdict.kind for verdict in verdicts] == [MORE_DATA, PASS]
    assert "health, memory or CPU was bad 1 looks in a row" in verdicts[0].reason


@pytest.mark.parametrize(
    ("field", "rule", "word"),
    [("memory_share", Rule.MEMORY, "memory"), ("cpu_share", Rule.CPU, "CPU")],
)
def test_a_resource_above_its_share_three_looks_in_a_row_fails(
    field: str, rule: Rule, word: str
) -> None:
    """More than 90 % of the limit; 90 % itself is allowed, and begins the count anew."""
    used: list[dict[str, Any]] = [{field: s} for s in (0.95, 0.95, 0.90, 0.95, 0.95, 0.93)]
    looks = [look(at, **each) for at, each in enumerate(used, start=40)]
    _, verdicts = play(analysis(), looks)

    assert [verdict.kind for verdict in verdicts] == [MORE_DATA] * 5 + [FAIL]
    assert verdicts[5].rule is rule
    assert verdicts[5].reason == (
        f"{word} was above 90 % of an instance's limit 3 looks in a row, 93 % at the last"
    )
    assert dict(verdicts[5].numbers)["since"] == 43


@pytest.mark.parametrize(("since", "kind"), [(10.0, MORE_DATA), (0.0, FAIL), (None, FAIL)])
def test_an_instance_may_need_much_while_it_warms_up(
    since: float | None, kind: VerdictKind
) -> None:
    """Its first 30 seconds do not count; without a start time the step's own is taken."""
    looks = [
        look(at, memory_share=0.99, cpu_share=0.99, instances_since=since) for at in (30, 31, 32)
    ]
    _, verdicts = play(analysis(), looks)

    assert verdicts[2].kind is kind


def test_a_resource_that_was_not_seen_neither_counts_nor_forgives() -> None:
    """Two looks above, one without a number, one above: three in a row."""
    used = [0.95, 0.95, None, 0.95]
    looks = [look(at, memory_share=s, cpu_share=None) for at, s in enumerate(used, start=40)]
    _, verdicts = play(analysis(), looks)

    assert [verdict.kind for verdict in verdicts] == [MORE_DATA] * 3 + [FAIL]


# Blind


def test_unreachable_metrics_are_blind_and_change_nothing() -> None:
    """Neither evidence nor what is counted in a row moves by what was not seen."""
    state, _ = play(analysis(), [look(1, 10, failed=1, candidate_healthy=False)])
    unseen = look(2, reachable=False, candidate_healthy=False)
    after, verdict = judge(state, unseen)

    assert (verdict.kind, verdict.rule) == (BLIND, Rule.METRICS_UNREACHABLE)
    assert after == state


def test_ten_blind_minutes_neither_promote_nor_roll_back() -> None:
    """Long after hold and patience, and with everything looking dead."""
    looks = [
        look(at, reachable=False, candidate_healthy=False, memory_share=None) for at in range(600)
    ]
    _, verdicts = play(analysis(), looks)

    assert kinds(verdicts) == {BLIND}


def test_what_happened_in_the_dark_is_judged_when_it_is_seen() -> None:
    """The first look after the dark holds all that came in between."""
    dark = [look(at, reachable=False) for at in range(1, 100)]
    _, verdicts = play(analysis(), [*dark, look(100, 200, failed=100)])

    assert verdicts[-1].kind is FAIL


# Properties

counts = st.builds(
    lambda n, *bad: Counts(n, *(min(n, b) for b in bad)),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
    st.integers(0, 200),
)
maybe_share = st.none() | st.floats(0, 1.5)
latencies = st.just(Latency()) | st.builds(
    Latency, st.just((0.5, 1.0, 2.0)), st.tuples(*[st.integers(0, 200)] * 4)
)
outcomes = st.just(()) | st.builds(orders, st.integers(0, 100), st.integers(0, 100))
looks_of_any_kind = st.lists(
    st.builds(
        Look,
        at=st.floats(0, 1_000),
        candidate=counts,
        live=counts,
        candidate_healthy=st.none() | st.booleans(),
        memory_share=maybe_share,
        cpu_share=maybe_share,
        reachable=st.booleans(),
        instances_since=st.none() | st.floats(0, 100),
        latency=latencies,
        outcomes=outcomes,
        live_outcomes=outcomes,
    ),
    max_size=12,
)


@settings(max_examples=50, deadline=None)
@given(looks=looks_of_any_kind, compare=st.booleans())
def test_the_same_looks_give_the_same_verdicts(looks: list[Look], *, compare: bool) -> None:
    """A replayed ledger decides as the rollout did."""
    one, other = (analysis(compare=compare, business=("orders",)) for _ in range(2))

    assert play(one, looks) == play(other, looks)


@settings(max_examples=50, deadline=None)
@given(looks_of_any_kind)
def test_analysis_looks_and_verdicts_survive_json(looks: list[Look]) -> None:
    """What the ledger keeps is what was, and judging goes on as if nothing had happened."""
    state, verdicts = play(analysis(business=("orders",)), looks)
    looks_again = through_json(list[Look], looks)

    assert through_json(Analysis, state) == state
    assert through_json(list[Verdict], verdicts) == verdicts
    assert play(analysis(business=("orders",)), looks_again) == (state, verdicts)


def test_a_look_of_an_older_ledger_is_still_read() -> None:
    """It has neither latency nor outcomes, and is judged as it was."""
    counts = '{"requests": 50, "failed": 25, "slow": 0, "refused": 0}'
    old = f'{{"at": 1.0, "candidate": {counts}, "live": {counts.replace("25", "0")}}}'
    look_again = TypeAdapter(Look).validate_json(old)

    assert (look_again.latency, look_again.outcomes) == (Latency(), ())
    assert judge(analysis(business=("orders",)), look_again)[1].kind is FAIL


def through_json(kind: Any, value: Any) -> Any:
    adapter = TypeAdapter(kind)
    return adapter.validate_json(adapter.dump_json(value))


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 500), st.integers(0, 500)), max_size=20))
def test_good_requests_never_raise_evidence(sizes: list[tuple[int, int]]) -> None:
    """Only the mass that is spent adds up: at most 1, far from 500."""
    looks = [look(at, own, live) for at, (own, live) in enumerate(sizes)]
    state, verdicts = play(analysis(), looks)

    assert all(signal.value <= 1 for signal in state.evidence)
    assert kinds(verdicts) <= {MORE_DATA, PASS}


@settings(max_examples=50, deadline=None)
@given(looks_of_any_kind)
def test_evidence_is_always_a_finite_number(looks: list[Look]) -> None:
    """JSON has no infinity."""
    state, _ = play(analysis(business=("orders",)), looks)

    assert all(0 <= signal.value <= 6_000 for signal in state.evidence)


@settings(max_examples=30, deadline=None)
@given(looks_of_any_kind)
def test_every_verdict_has_a_sentence_and_finite_numbers(looks: list[Look]) -> None:
    """`why` prints them as they are."""
    _, verdicts = play(analysis(business=("orders",)), looks)

    assert all(verdict.reason and "nan" not in verdict.reason for verdict in verdicts)
    assert all(abs(value) < 1e12 for verdict in verdicts for _, value in verdict.numbers)


# Error rates, simulated


@pytest.mark.parametrize(
    ("share", "what"), [(0.005, "failed"), (0.049, "failed"), (0.049, "slow"), (0.3, "refused")]
)
def test_healthy_rollouts_are_hardly_ever_rolled_back(share: float, what: str) -> None:
    """Both slots alike, five signals, a look a second: none of 40, where alpha is 1 %."""
    rng = random.Random(53)
    failed = 0
    for _ in range(40):
        looks = traffic(rng, 120, share=share, live_share=share, requests=10, live=30, what=what)
        _, verdicts = play(analysis(), looks)
        failed += FAIL in kinds(verdicts)

    assert failed == 0


def test_twice_as_bad_as_live_is_still_within_the_margin() -> None:
    """At the edge of what is allowed the comparison keeps its alpha."""
    rng = random.Random(59)
    failed = 0
    for _ in range(40):
        looks = traffic(rng, 120, share=0.02, live_share=0.01, requests=10, live=30)
        _, verdicts = play(analysis(), looks)
        failed += FAIL in kinds(verdicts)

    assert failed <= 1


def test_faulty_rollouts_are_rolled_back() -> None:
    """The negative control of both: 4 % against 0.5 %, within the limit, is found."""
    rng = random.Random(61)
    failed = 0
    for _ in range(20):
        looks = traffic(rng, 240, share=0.04, live_share=0.005, requests=10, live=30)
        _, verdicts = play(analysis(), looks)
        failed += FAIL in kinds(verdicts)

    assert failed >= 18


def test_no_release_needs_a_plan_of_more_than_nothing() -> None:
    """A plan of no requests is taken as one of one request, not as a division by zero."""
    _, verdicts = play(analysis(planned=0), [look(1, 100, failed=60)])

    assert verdicts[0].kind is FAIL
