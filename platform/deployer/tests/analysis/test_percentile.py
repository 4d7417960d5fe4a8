"""p95: the figure beside the share, read off the buckets of the window that the sentence speaks of."""

from __future__ import annotations

import random

import pytest
from analysis.looks import analysis, look, play
from hypothesis import given
from hypothesis import strategies as st

from deployer.analysis import Latency, Limits, Rule, VerdictKind
from deployer.analysis.percentile import p95_of
from deployer.targets.local.router import BUCKETS

BOUNDS = (0.5, 1.0, 2.0)


def histogram(seconds: list[float], bounds: tuple[float, ...] = BUCKETS) -> Latency:
    counts = [0] * (len(bounds) + 1)
    for each in seconds:
        counts[next((i for i, bound in enumerate(bounds) if each <= bound), len(bounds))] += 1
    return Latency(bounds, tuple(counts))


@pytest.mark.parametrize(
    ("counts", "requests", "text"),
    [
        ((100, 0, 0, 0), 100, "0.475 s"),
        ((90, 10, 0, 0), 100, "0.75 s"),
        ((0, 90, 10, 0), 100, "1.5 s"),
        ((95, 0, 0, 5), 100, "0.5 s"),
        ((94, 0, 0, 6), 100, "more than 2 s"),
        ((90, 0, 0, 0), 100, "more than 1 s"),
        ((100, 0, 0, 0), 90, "0.475 s"),
    ],
    ids=["first", "middle", "last", "at a bound", "above all", "in flight", "torn"],
)
def test_it_is_linear_within_its_bucket(counts: tuple[int, ...], requests: int, text: str) -> None:
    """And honest about what has no upper end: the last bucket, and what has not finished."""
    p95 = p95_of(Latency(BOUNDS, counts), requests=requests, slow_seconds=1.0)

    assert str(p95) == text


def test_without_a_histogram_there_is_no_figure() -> None:
    """An old ledger has none, and a candidate that never answered neither."""
    assert p95_of(Latency(), requests=10, slow_seconds=1.0) is None


@given(st.lists(st.floats(0.001, 5.0), min_size=1, max_size=200))
def test_it_lies_in_the_bucket_of_the_true_one(seconds: list[float]) -> None:
    """Whatever the latencies: it is off by the width of one bucket at most."""
    p95 = p95_of(histogram(seconds), requests=len(seconds), slow_seconds=1.0)
    rank = -(-95 * len(seconds) // 100)
    true = sorted(seconds)[rank - 1]
    upper = next(bound for bound in BUCKETS if true <= bound)
    lower = max((bound for bound in BUCKETS if bound < upper), default=0.0)

    assert p95 is not None
    assert lower - 1e-9 <= p95.seconds <= upper + 1e-9


def test_p95_of_one_and_a_half_seconds_is_found_with_its_figure() -> None:
    """The limit is 1 s. The release is slow from its 200th request on, and the figure is its own."""
    rng, looks = random.Random(101), []
    for at in range(120):
        slow = at >= 40
        seconds = [
            rng.uniform(1.4, 1.6) if slow and rng.random() < 0.1 else rng.uniform(0.05, 0.2)
            for _ in range(5)
        ]
        late = sum(each > 1 for each in seconds)
        looks.append(look(at, 5, 45, slow=late, latency=histogram(seconds)))
    _, verdicts = play(analysis(hold=900), looks)
    found = next(verdict for verdict in verdicts if verdict.kind is VerdictKind.FAIL)

    assert found.rule in {Rule.SLOW_SHARE, Rule.SLOW_AGAINST_LIVE}
    assert dict(found.numbers)["p95"] == pytest.approx(1.5, abs=0.12)
    assert "took longer than 1 s" in found.reason
    assert f"(p95 {dict(found.numbers)['p95']:.3g} s)" in found.reason


def test_the_sentence_against_the_limit_has_the_figure() -> None:
    """Between what was counted and what is allowed."""
    _, verdicts = play(
        analysis(compare=False), [look(1, 100, slow=30, latency=Latency(BOUNDS, (60, 10, 30, 0)))]
    )

    assert verdicts[0].reason.startswith(
        "30 of 100 requests (30 %) took longer than 1 s (p95 1.83 s), limit 5 %; evidence"
    )


def test_the_figure_waits_for_live_with_its_requests() -> None:
    """At a high weight live's requests come later; the window's histogram is whole all the same."""
    limits = Limits(error_share=1.0, slow_share=1.0)
    fast = Latency(BOUNDS, (40, 0, 10, 0))
    looks = [look(at, 50, slow=10, latency=fast) for at in (1, 2)]
    state, verdicts = play(
        analysis(limits=limits), [*looks, look(3, 0, 50), look(4, 50, 900, slow=10, latency=fast)]
    )

    assert verdicts[3].rule is Rule.SLOW_AGAINST_LIVE
    assert sum(state.evidence[3].latency.counts) == state.evidence[3].requests


def test_failed_requests_have_no_latency() -> None:
    """The figure belongs to the signals of slow requests."""
    _, verdicts = play(analysis(), [look(1, 50, failed=25, latency=Latency(BOUNDS, (50, 0, 0, 0)))])

    assert "p95" not in dict(verdicts[0].numbers)
