"""The clock that stands still with the process."""

import os
import time

from platform_kit.awake import COUNTED_SECONDS, LOOK_SECONDS, AwakeClock, awake_seconds


def test_a_process_that_runs_sees_the_time_pass(clock):
    """Look by look, and between two."""
    awake = AwakeClock(clock)
    for _ in range(50):
        clock.now += LOOK_SECONDS
        awake.look()
    clock.now += LOOK_SECONDS

    assert round(awake(), 6) == round(51 * LOOK_SECONDS, 6)


def test_a_pause_counts_for_a_moment(clock):
    """Whether it is the reader or the looker who wakes first."""
    awake = AwakeClock(clock)
    clock.now += 3600
    woken = awake()
    awake.look()

    assert woken == awake() == COUNTED_SECONDS


def test_somebody_looks():
    """Time passes for whoever asks."""
    begun = awake_seconds()
    deadline = time.monotonic() + 30
    while awake_seconds() - begun < 4 * COUNTED_SECONDS:
        assert time.monotonic() < deadline
        time.sleep(LOOK_SECONDS)  # the time that is to pass


def test_somebody_looks_in_a_fork_too():
    """No thread lives on there: without a new one the clock would stop for good."""
    awake_seconds()
    child = os.fork()
    if child == 0:
        test_somebody_looks()
        os._exit(0)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
