"""Whole rollouts on a virtual clock: the real engine does what the design says it does."""

from __future__ import annotations

import statistics
import threading
import time
from dataclasses import replace

import pytest
from simulation.scenarios import RATE, errors, outcomes, scenario

from deployer.analysis import Rule
from deployer.driver import read_rollout
from deployer.engine import Kind, Phase, blue_green
from deployer.model import Slot
from deployer.simulation import (
    Behaviour,
    End,
    Fault,
    Incident,
    Latency,
    Mishap,
    Outage,
    Outcome,
    Side,
    play,
    simulate,
)


def ends(found: list[Outcome]) -> set[End]:
    return {outcome.end for outcome in found}


def test_a_healthy_release_is_promoted():
    """Twenty of twenty; nothing was detected, and all traffic ends at the candidate."""
    found = outcomes(scenario(), 20)

    assert ends(found) == {End.PROMOTED}
    assert {outcome.verdict_at for outcome in found} == {None}
    assert all(outcome.looks > 60 for outcome in found)


def test_half_the_requests_failing_is_found_within_seconds():
    """Every time, by a rule on failing requests, with the traffic back right after."""
    found = outcomes(scenario(**errors(0.5, after_seconds=12.0)), 40)

    assert ends(found) == {End.ROLLED_BACK}
    assert {outcome.rule for outcome in found} <= {Rule.ERROR_SHARE, Rule.ERRORS_AGAINST_LIVE}
    assert statistics.median(outcome.requests_to_detect or 0 for outcome in found) <= 30
    assert all(outcome.fault_at == 12.0 for outcome in found)
    assert all(0 < (o.detect_seconds or 0) < (o.back_seconds or 0) < 60 for o in found)


def test_a_fault_after_many_clean_requests_is_found_as_fast():
    """A clean start earns no credit."""

    def median(clean: int) -> float:
        wanted = scenario(hold_seconds=200.0, **errors(0.2, after_requests=clean))
        return statistics.median(o.requests_to_detect or 10**6 for o in outcomes(wanted, 20))

    assert median(1500) < 2 * median(0) + 30


def test_a_fault_counts_from_when_the_candidate_has_traffic():
    """What is broken from second 0 could not be met before the first shift."""
    outcome = simulate(scenario(**errors(1.0)), 1)

    assert outcome.fault_at is not None
    assert outcome.fault_at > 3.0  # starting and migrating come first
    assert outcome.requests_to_detect is not None
    assert outcome.requests_to_detect <= outcome.exposed <= outcome.requests_to_detect + 20
    assert 0 < outcome.failed <= outcome.exposed


def test_without_metrics_nothing_is_promoted_and_nothing_rolled_back():
    """The blind source: ten of ten end only because somebody gave up in the end."""
    blind = {"outages": (Outage(0.0, 1e9),)}
    found = outcomes(scenario(longest_seconds=600.0, **blind), 10)
    found += outcomes(scenario(longest_seconds=600.0, **blind, **errors(1.0)), 10)

    assert ends(found) == {End.UNDECIDED}
    assert {outcome.verdict_at for outcome in found} == {None}


def test_metrics_that_come_back_show_what_happened_meanwhile():
    """A fault during the outage is found right after it."""
    outages = (Outage(10.0, 60.0),)
    outcome = simulate(scenario(outages=outages, **errors(0.5, after_seconds=20.0)), 1)

    assert outcome.end is End.ROLLED_BACK
    assert outcome.verdict_at == pytest.approx(70.0, abs=1.5)


def test_both_slots_bad_alike_asks_a_person():
    """It is not the release: no verdict of the analysis takes it back, the person does."""
    found = outcomes(scenario(**errors(0.3, on=Side.BOTH)), 20)

    assert ends(found) <= {End.HELD}
    assert {outcome.detect_seconds for outcome in found} == {None}
    assert all("nobody decided" in (outcome.cause or "") for outcome in found)


def test_a_drift_of_both_within_the_limit_is_promoted():
    """1 to 4 % together is no fault of the candidate's."""
    low = Behaviour(error_share=0.01)
    drift = Fault(Side.BOTH, Behaviour(error_share=0.04), ramp_seconds=60.0)
    found = outcomes(scenario(candidate=low, live=low, faults=(drift,)), 20)

    assert ends(found) == {End.PROMOTED}


def test_slow_requests_are_found():
    """A p95 of 1.5 s, without one failure more."""
    slow = Fault(Side.CANDIDATE, Behaviour(latency=Latency.with_share_above(1.5, 0.05)))
    found = outcomes(scenario(hold_seconds=60.0, faults=(slow,)), 10)

    assert ends(found) == {End.ROLLED_BACK}
    assert {outcome.rule for outcome in found} <= {Rule.SLOW_SHARE, Rule.SLOW_AGAINST_LIVE}


@pytest.mark.parametrize(
    ("sick", "rule"),
    [
        (Behaviour(healthy=False), Rule.HEALTH),
        (Behaviour(memory_share=0.95), Rule.MEMORY),
        (Behaviour(cpu_share=0.95), Rule.CPU),
    ],
)
def test_sick_instances_are_found_by_their_own_rule(sick: Behaviour, rule: Rule):
    """Health and resources, with requests that are all fine."""
    wanted = scenario(faults=(Fault(Side.CANDIDATE, sick, after_seconds=40.0),))
    outcome = simulate(wanted, 1)

    assert (outcome.end, outcome.rule) == (End.ROLLED_BACK, rule)
    assert (outcome.detect_seconds or 0) < 5


@pytest.mark.parametrize("mishap", [Mishap.HANG, Mishap.CRASH_LOOP])
def test_a_candidate_that_died_gives_all_traffic_back_to_the_old_slot(mishap: Mishap):
    """Whatever its state: the way back never asks it."""
    played = play(scenario(incidents=(Incident(mishap, after_seconds=30.0),)), 1)
    blue = played.target.situation(played.state.order.service).serving

    assert played.outcome.end is End.ROLLED_BACK
    assert (played.outcome.back_seconds or 99) < 6
    assert blue is not None
    assert (blue.slot, blue.weight, blue.ready) == (Slot.BLUE, 100, True)


def test_a_candidate_that_never_gets_ready_never_gets_traffic():
    """It fails before the first shift: nobody met it, and no verdict was needed."""
    outcome = simulate(scenario(incidents=(Incident(Mishap.CRASH_LOOP, after_seconds=1.5),)), 1)

    assert (outcome.end, outcome.rule, outcome.exposed) == (End.ROLLED_BACK, None, 0)
    assert "never-ready" in (outcome.cause or "")
    assert outcome.detect_seconds is None


def test_a_first_deployment_has_nothing_to_compare_with():
    """Without a live release there is no fault of live's either."""
    wanted = scenario(incidents=(Incident(Mishap.CRASH, Side.LIVE, 20.0),))
    first = replace(
        wanted.order, kind=Kind.INSTALL, live=None, plan=blue_green(instances=2, live_instances=0)
    )
    outcome = simulate(replace(wanted, order=first), 1)

    assert outcome.end is End.PROMOTED


def test_the_same_seed_gives_the_same_rollout():
    """And another seed another one."""
    wanted = scenario(**errors(0.2))

    assert simulate(wanted, 5) == simulate(wanted, 5)
    assert simulate(wanted, 5) != simulate(wanted, 6)


def test_the_ledger_of_a_simulated_rollout_replays_to_the_same_decisions():
    """The journal holds all that was decided on."""
    played = play(scenario(**errors(0.5, after_seconds=30.0)), 1)
    (header,) = played.ledger.history(played.state.order.service)
    replayed = read_rollout(played.ledger, header)

    assert header.outcome == replayed.phase == Phase.ROLLED_BACK
    assert replayed == played.state


def test_a_simulated_rollout_starts_no_thread(monkeypatch: pytest.MonkeyPatch):
    """A second thread would make a run depend on the scheduler."""
    started: list[object] = []
    monkeypatch.setattr(threading.Thread, "start", started.append)

    assert simulate(scenario(), 1).end is End.PROMOTED
    assert started == []


def test_a_rollout_of_an_hour_takes_a_fraction_of_a_second():
    """No thread, no wait: 3,600 looks, each a tenth of a millisecond or so."""
    began = time.process_time()
    outcome = simulate(scenario(hold_seconds=900.0), 1)

    assert outcome.seconds > 3600
    assert outcome.looks > 3600
    assert time.process_time() - began < 3.0


def test_the_candidate_gets_its_share_of_the_requests():
    """Steps of 10, 25, 50 and 100 %, each a little longer than its hold."""
    outcome = simulate(scenario(hold_seconds=60.0), 1)

    assert outcome.exposed == pytest.approx(RATE * 60 * 1.85, rel=0.15)
