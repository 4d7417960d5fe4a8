"""Traffic: who gets how many requests, which of them go wrong, and from when on."""

from __future__ import annotations

import pytest

from deployer.simulation import Behaviour, Fault, Latency, ServiceModel, Side
from deployer.simulation.traffic import BOUNDS, Conditions, Served, Traffic

CLEAN = Behaviour(error_share=0.0, refused_share=0.0, latency=Latency(0.0))
BROKEN = Behaviour(error_share=1.0, refused_share=0.0, latency=Latency(0.0))


def traffic(*faults: Fault, candidate: Behaviour = CLEAN, live: Behaviour = CLEAN) -> Traffic:
    return Traffic(ServiceModel(100.0, candidate, live, faults), seed=7)


def served_by_the_second(
    running: Traffic, seconds: int, weight: int = 50
) -> list[tuple[Served, Served]]:
    return [running.serve(running.at + 1.0, Conditions(weight)) for _ in range(seconds)]


@pytest.mark.parametrize(("weight", "share"), [(0, 0.0), (10, 0.1), (100, 1.0)])
def test_requests_are_split_by_the_weight(weight: int, share: float):
    """The candidate's share of the requests is its weight; all that come are served."""
    candidate, live = traffic().serve(1000.0, Conditions(weight))
    requests = candidate.counts.requests + live.counts.requests

    assert requests == pytest.approx(100_000, rel=0.02)
    assert candidate.counts.requests / requests == pytest.approx(share, abs=0.01)


def test_each_slot_behaves_by_its_own_shares():
    """Failed, refused, slow and what the business counts, each at its share."""
    mixed = Behaviour(
        error_share=0.1,
        refused_share=0.2,
        latency=Latency.with_share_above(1.0, 0.3),
        attempt_share=0.4,
        success_share=0.5,
    )
    candidate, live = traffic(candidate=mixed).serve(2000.0, Conditions(50))
    n = candidate.counts.requests

    assert candidate.counts.failed / n == pytest.approx(0.1, abs=0.01)
    assert candidate.counts.refused / n == pytest.approx(0.2, abs=0.01)
    assert candidate.counts.slow / n == pytest.approx(0.3, abs=0.01)
    assert candidate.attempts / n == pytest.approx(0.4, abs=0.01)
    # A request that failed placed no order.
    assert candidate.successes / candidate.attempts == pytest.approx(0.5 * 0.9, abs=0.01)
    assert (live.counts.failed, live.counts.refused, live.counts.slow) == (0, 0, 0)


def test_the_candidates_latencies_fall_into_buckets():
    """As many as there are requests, the slow ones above the limit; no answer is above them all."""
    slow = Behaviour(latency=Latency.with_share_above(1.5, 0.05))
    candidate, live = traffic(candidate=slow).serve(1000.0, Conditions(50, candidate_answers=0.9))
    counts, n = candidate.latency.counts, candidate.counts.requests

    assert sum(counts) == n
    assert sum(counts[BOUNDS.index(1.0) + 1 :]) == candidate.counts.slow
    above = sum(counts[BOUNDS.index(1.5) + 1 :]) / n
    assert above == pytest.approx(0.1 + 0.9 * 0.05, abs=0.01)
    assert counts[-1] / n == pytest.approx(0.1, abs=0.01)
    assert live.latency.counts == ()


def test_who_meets_an_instance_that_does_not_answer_gets_a_failure():
    """Half the instances down: half the requests failed, and slow; what is left is refused."""
    refusing = Behaviour(error_share=0.0, refused_share=0.5, latency=Latency(0.0))
    running = traffic(candidate=refusing)
    half, _ = running.serve(500.0, Conditions(50, candidate_answers=0.5))
    none, _ = running.serve(510.0, Conditions(50, candidate_answers=0.0))

    assert half.counts.failed / half.counts.requests == pytest.approx(0.5, abs=0.02)
    assert half.counts.slow / half.counts.requests == pytest.approx(0.5, abs=0.02)
    assert half.counts.refused == pytest.approx(half.counts.requests / 2, rel=0.05)
    assert (none.counts.failed, none.counts.refused) == (none.counts.requests, 0)


def test_a_fault_begins_at_its_time_whenever_traffic_is_asked_for():
    """The time is cut where it begins: also in the middle of a call."""
    running = traffic(Fault(Side.CANDIDATE, BROKEN, after_seconds=10.5, lasts_seconds=1.0))
    failed = [candidate.counts.failed for candidate, _ in served_by_the_second(running, 13)]

    assert failed[:10] == [0] * 10
    assert all(0 < count < 45 for count in failed[10:12])  # half of a second each
    assert failed[12] == 0
    assert running.fault_began == 10.5


def test_a_fault_begins_after_so_many_candidate_requests():
    """All of them are clean, and the next one is not."""
    running = traffic(Fault(Side.BOTH, BROKEN, after_requests=1234))
    candidate, live = running.serve(60.0, Conditions(50))

    assert running.requests_before_fault == 1234
    assert candidate.counts.failed == candidate.counts.requests - 1234 == running.failed
    assert live.counts.failed == pytest.approx(live.counts.requests - 1234, rel=0.1)


def test_a_drift_of_both_slots_rises_over_its_time():
    """In small stages, and no further than its end."""
    drift = Fault(Side.BOTH, Behaviour(error_share=0.4), ramp_seconds=100.0)
    both = served_by_the_second(traffic(drift), 150)
    for slot in zip(*both, strict=True):
        middle = sum((each for each in slot[40:60]), Served()).counts
        end = sum((each for each in slot[100:]), Served()).counts

        assert middle.failed / middle.requests == pytest.approx(0.2, abs=0.04)
        assert end.failed / end.requests == pytest.approx(0.4, abs=0.04)


def test_the_same_seed_serves_the_same_requests():
    """And another seed others."""

    def served(seed: int) -> list[tuple[Served, Served]]:
        return served_by_the_second(Traffic(ServiceModel(50.0), seed), 20)

    assert served(1) == served(1)
    assert served(1) != served(2)


def test_asking_more_often_changes_no_rate():
    """Traffic does not know how often it is looked at."""
    rare, _ = traffic().serve(2000.0, Conditions(30))
    often = traffic()
    candidate = sum((often.serve(at / 2, Conditions(30))[0] for at in range(1, 4001)), Served())

    assert candidate.counts.requests == pytest.approx(rare.counts.requests, rel=0.02)
