"""Business pairs: fewer orders without one 5xx, against what live makes of the same seconds."""

from __future__ import annotations

import math
import random

import pytest
from analysis.looks import analysis, first, kinds, look, orders, play
from hypothesis import given
from hypothesis import strategies as st

from deployer.analysis import Analysis, Look, Rule, Verdict, VerdictKind
from deployer.analysis.sequential import RATES, SUCCESS_RATES, business_factors

FAIL, MORE_DATA = VerdictKind.FAIL, VerdictKind.MORE_DATA
MARGIN, DROP = 2.0, 0.10
shares = st.floats(0.0, 1.0)
few = st.integers(1, 6)


def watching(**more: object) -> Analysis:
    return analysis(business=("orders",), **more)  # type: ignore[arg-type]


def shop(
    rng: random.Random, looks: int, *, share: float, live_share: float, attempts: int = 2
) -> list[Look]:
    """Looks of a shop in which such shares of the attempts succeed, and nothing else is wrong."""

    def done(n: int, chance: float) -> int:
        return sum(rng.random() < chance for _ in range(n))

    return [
        look(
            at,
            10,
            90,
            outcomes=orders(attempts, done(attempts, share)),
            live_outcomes=orders(9 * attempts, done(9 * attempts, live_share)),
        )
        for at in range(looks)
    ]


def found_at(verdicts: list[Verdict]) -> float:
    return next((at for at, each in enumerate(verdicts) if each.kind is FAIL), math.inf)


def binomial(n: int, k: int, share: float) -> float:
    return math.comb(n, k) * share**k * (1 - share) ** (n - k)


def expected(n: int, live_n: int, failing: float, live_failing: float) -> list[float]:
    """What each alternative's ratio is worth in the mean over all outcomes of a look."""
    total = [0.0] * len(RATES + SUCCESS_RATES)
    for bad in range(n + 1):
        for live_bad in range(live_n + 1):
            chance = binomial(n, bad, failing) * binomial(live_n, live_bad, live_failing)
            factors = business_factors((n, bad, live_n, live_bad), margin=MARGIN, drop=DROP)
            total = [t + chance * factor for t, factor in zip(total, factors, strict=True)]
    return total


@given(few, few, shares, shares)
def test_an_allowed_look_expects_to_add_its_mass_at_most(
    attempts: int, live_attempts: int, live_failing: float, part: float
) -> None:
    """Both halves, for any share on live and any of the candidate that both questions allow."""
    most = min(MARGIN * live_failing, 1.0 - (1.0 - DROP) * (1.0 - live_failing))

    assert max(expected(attempts, live_attempts, part * most, live_failing)) <= 1 + 1e-9


@pytest.mark.parametrize(("live_failing", "half"), [(0.03, slice(0, 3)), (0.4, slice(3, 6))])
def test_a_fall_by_a_third_expects_to_add_more(live_failing: float, half: slice) -> None:
    """The negative control of the bound, and why there are two halves: one of them grows."""
    failing = 1.0 - 0.7 * (1.0 - live_failing)
    growth = expected(6, 12, failing, live_failing)

    assert max(growth[half]) > 1.02


@pytest.mark.parametrize(("live_share", "looks"), [(0.97, 100), (0.6, 700)])
def test_orders_down_thirty_percent_without_a_5xx_are_found(live_share: float, looks: int) -> None:
    """Where nearly all attempts succeed, and where many fail for their customers' own reasons."""
    rng = random.Random(71)
    rollouts = [
        play(watching(), shop(rng, looks, share=0.7 * live_share, live_share=live_share))[1]
        for _ in range(20)
    ]

    assert sum(found_at(verdicts) < math.inf for verdicts in rollouts) >= 18
    assert {each.rule for verdicts in rollouts for each in verdicts if each.kind is FAIL} == {
        Rule.BUSINESS
    }


@pytest.mark.parametrize(
    ("live_share", "share"), [(0.97, 0.97), (0.97, 0.95), (0.6, 0.6), (0.6, 0.55)]
)
def test_a_shop_within_what_is_allowed_is_not_rolled_back(live_share: float, share: float) -> None:
    """A little less is noise; none of 20."""
    rng = random.Random(73)
    for _ in range(20):
        _, verdicts = play(watching(), shop(rng, 200, share=share, live_share=live_share))
        assert FAIL not in kinds(verdicts)


def test_an_order_service_that_places_nothing_is_found_at_once() -> None:
    """Twenty attempts of a candidate, all answered with 200."""
    _, verdicts = play(watching(), shop(random.Random(79), 60, share=0.0, live_share=0.95))

    assert found_at(verdicts) <= 10


def test_a_fault_after_a_long_good_start_is_found_as_fast() -> None:
    """The clean start earned no credit."""
    rng = random.Random(83)
    good = shop(rng, 500, share=0.97, live_share=0.97)
    bad = shop(rng, 100, share=0.68, live_share=0.97)
    _, verdicts = play(watching(), [*good, *bad])

    assert 500 < found_at(verdicts) <= 570


def test_the_sentence_names_the_pair_and_both_slots() -> None:
    """With the counts since the fault began, and when that was."""
    looks = [
        look(3, 200, 600, outcomes=orders(200, 132), live_outcomes=orders(600, 570)),
    ]
    _, verdicts = play(watching(), looks)
    numbers = dict(verdicts[0].numbers)

    assert (verdicts[0].kind, verdicts[0].rule) == (FAIL, Rule.BUSINESS)
    assert verdicts[0].reason == (
        "orders: 132 of 200 attempts succeeded on the candidate, 570 of 600 on live over the same "
        "seconds; 10 % less often is allowed, and 2 times as many without success; evidence 1,117 "
        "passes 600"
    )
    assert (numbers["attempts"], numbers["successes"], numbers["share"]) == (200, 132, 0.66)
    assert (numbers["live_attempts"], numbers["live_successes"]) == (600, 570)
    assert numbers["since"] == 3


@pytest.mark.parametrize("slot", ["candidate", "live"])
def test_a_slot_that_exports_no_pair_gives_no_evidence(slot: str) -> None:
    """Product 1.0.0 counts no reservations: that is not a shop that sells nothing."""
    seen = {"outcomes" if slot == "live" else "live_outcomes": orders(100, 97)}
    state, verdicts = play(watching(), [look(at, 10, 90, **seen) for at in range(50)])

    assert kinds(verdicts) == {MORE_DATA}
    assert state.evidence[5].value == 0


def test_a_pair_that_nobody_declared_is_not_judged() -> None:
    """A service may export more than it wants to be judged by."""
    bad = look(1, 100, 900, outcomes=orders(100, 0), live_outcomes=orders(900, 900))
    _, undeclared = play(analysis(), [bad])
    _, other = play(analysis(business=("refunds",)), [bad])
    _, declared = play(watching(), [bad])

    assert kinds([*undeclared, *other]) == {MORE_DATA}
    assert declared[0].rule is Rule.BUSINESS


def test_the_pair_that_fell_is_the_one_that_is_named() -> None:
    """Of two that a service declares."""
    refunds = orders(100, 95, name="refunds")
    each = look(
        1,
        100,
        900,
        outcomes=(*orders(100, 0), *refunds),
        live_outcomes=(*orders(900, 900), *orders(900, 855, name="refunds")),
    )
    _, verdicts = play(analysis(business=("refunds", "orders")), [each])

    assert verdicts[0].reason.startswith("orders: 0 of 100 attempts")


def test_alpha_is_shared_with_the_pairs() -> None:
    """A sixth and a seventh signal raise what each must pass; without a live slot there are none."""
    signals = [
        len(analysis(business=names, compare=compare).evidence)
        for names, compare in (((), True), (("a",), True), (("a", "b"), True), (("a",), False))
    ]

    assert signals == [5, 6, 7, 2]
    assert analysis(business=("a", "b")).threshold == pytest.approx(700)


def test_attempts_of_one_slot_wait_for_the_others() -> None:
    """Nothing is lost, and the mass is that of all requests in between."""
    apart = [
        look(1, 5, 45, live_outcomes=orders(90, 85)),
        look(2, 5, 45),
        look(3, 10, 90, outcomes=orders(10, 4)),
    ]
    together = [look(3, 20, 180, outcomes=orders(10, 4), live_outcomes=orders(90, 85))]
    one, _ = play(watching(), apart)
    other, _ = play(watching(), together)

    assert one.evidence[5] == other.evidence[5]


def test_a_pair_in_a_look_without_requests_counts() -> None:
    """It comes from the instances, which may tell of an attempt before the router does."""
    quiet = look(2, outcomes=orders(100, 0), live_outcomes=orders(900, 900))
    _, verdicts = play(watching(), [look(1, 100, 900), quiet])

    assert verdicts[1].rule is Rule.BUSINESS


def test_the_mass_of_a_pair_is_never_more_than_one() -> None:
    """However its attempts fall among the requests: alpha rests on it."""
    rng, state = random.Random(89), watching(planned=500)
    for at in range(400):
        done = rng.random() < 0.5
        pairs = {"outcomes": orders(1, done), "live_outcomes": orders(1, 1)} if at % 7 == 0 else {}
        state, _ = play(state, [look(at, 10, 90, **pairs)])

    assert 0.9 < state.evidence[5].spent <= 1


def test_more_done_than_attempted_is_all_done() -> None:
    """Another library may count an attempt when it begins."""
    torn, _ = play(watching(), [look(1, 9, 9, outcomes=orders(2, 3), live_outcomes=orders(9, 9))])
    whole, _ = play(watching(), [look(1, 9, 9, outcomes=orders(2, 2), live_outcomes=orders(9, 9))])

    assert torn.evidence == whole.evidence


def test_a_release_that_sells_better_is_no_fault() -> None:
    """Only the worse direction is."""
    _, verdicts = play(watching(), shop(random.Random(97), 300, share=0.97, live_share=0.6))

    assert first(verdicts, FAIL) is None
