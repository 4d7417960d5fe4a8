"""Liveness: a fake clock, and one rule: dead is only who has work waiting and gets nothing done."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_kit.liveness import STALL_SECONDS, Activity, Load


@pytest.fixture
def activity(clock):
    return Activity(clock)


def test_an_idle_process_is_alive_for_ever(activity, clock):
    """Nobody asks anything for a day."""
    clock.now += 86_400

    assert activity.load() == Load(waiting=0, running=0, stalled_seconds=0.0)
    assert activity.load().alive


def test_a_slow_process_is_alive(activity, clock):
    """All threads are busy for minutes, but nobody waits."""
    activity.arrived()
    activity.started()
    clock.now += 600

    assert activity.load().alive


def test_a_stalled_process_is_dead_after_a_minute(activity, clock):
    """One waits, one runs, and nothing finishes."""
    for _ in range(2):
        activity.arrived()
    activity.started()
    clock.now += STALL_SECONDS - 0.1
    assert activity.load().alive
    clock.now += 0.1

    assert not activity.load().alive
    assert activity.load() == Load(waiting=1, running=1, stalled_seconds=STALL_SECONDS)


def test_a_finished_request_shows_life(activity, clock):
    """The minute begins again."""
    for _ in range(3):
        activity.arrived()
    activity.started()
    clock.now += 59
    activity.finished()
    clock.now += 59

    assert activity.load().alive


def test_a_burst_after_a_long_idle_time_is_no_stall(activity, clock):
    """What counts is how long somebody waits, not how long ago the last request was."""
    clock.now += 86_400
    activity.arrived()

    assert activity.load().alive
    assert activity.load().stalled_seconds == 0


def test_quiet_counts_from_the_last_arrival(activity, clock):
    """And is nothing while a request is in flight."""
    activity.arrived()
    clock.now += 5
    assert activity.quiet_seconds() == 0
    activity.started()
    assert activity.quiet_seconds() == 0
    activity.finished()

    assert activity.quiet_seconds() == 5


def test_quiet_begins_again_with_the_drain(activity, clock):
    """An instance that was idle for an hour still waits for those who are on their way."""
    clock.now += 3600
    activity.drain()

    assert activity.draining
    assert activity.quiet_seconds() == 0


@given(st.lists(st.sampled_from(["arrived", "started", "finished"]), max_size=60))
def test_counts_never_disagree_with_the_history(steps):
    """Whatever happens in whatever order that is possible: in flight = arrived - finished."""
    activity = Activity()
    done = {"arrived": 0, "started": 0, "finished": 0}
    for step in steps:
        possible = {
            "arrived": True,
            "started": done["started"] < done["arrived"],
            "finished": done["finished"] < done["started"],
        }
        if possible[step]:
            getattr(activity, step)()
            done[step] += 1
    load = activity.load()

    assert load.waiting == done["arrived"] - done["started"]
    assert load.running == done["started"] - done["finished"]
    assert load.in_flight == done["arrived"] - done["finished"]
