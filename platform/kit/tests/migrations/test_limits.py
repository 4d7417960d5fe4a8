"""The pure parts: which lock a statement takes, how long it may wait, and how fast a backfill goes."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from platform_kit.migrations.limits import Backoff, LockClass, limits, lock_class
from platform_kit.migrations.throttle import Throttle


@pytest.mark.parametrize(
    ("statement", "expected"),
    [
        ("ALTER TABLE t ADD COLUMN x int", LockClass.CATALOGUE),
        ("  -- why\n/* and how */ alter table t drop column x", LockClass.CATALOGUE),
        ("CREATE INDEX i ON t (x)", LockClass.CATALOGUE),
        ("CREATE INDEX CONCURRENTLY i ON t (x)", LockClass.CONCURRENT),
        ("create unique index concurrently if not exists i on t (x)", LockClass.CONCURRENT),
        ("DROP INDEX CONCURRENTLY i;", LockClass.CONCURRENT),
        ("REINDEX (VERBOSE) INDEX CONCURRENTLY i", LockClass.CONCURRENT),
        ("ALTER TABLE t DETACH PARTITION p CONCURRENTLY", LockClass.CONCURRENT),
        ("REFRESH MATERIALIZED VIEW CONCURRENTLY v", LockClass.CONCURRENT),
        ("COMMENT ON TABLE t IS 'made CONCURRENTLY'", LockClass.CATALOGUE),
        ("ALTER TABLE t VALIDATE CONSTRAINT c", LockClass.SHARED),
        ("ALTER TABLE t VALIDATE CONSTRAINT c, ADD COLUMN x int", LockClass.CATALOGUE),
        ("LOCK TABLE t IN SHARE UPDATE EXCLUSIVE MODE", LockClass.SHARED),
        ("LOCK TABLE t", LockClass.CATALOGUE),
        ("UPDATE t SET x = 1", LockClass.ROWS),
        ("WITH a AS (SELECT 1) DELETE FROM t", LockClass.ROWS),
        ("SELECT 1", LockClass.QUESTION),
        ("SELECT 1; DROP TABLE t", LockClass.CATALOGUE),
        ("DO $$ BEGIN END $$", LockClass.CATALOGUE),
    ],
)
def test_a_statement_has_the_class_of_its_lock(statement, expected):
    """What is unknown is taken for the strictest."""
    assert lock_class(statement) == expected


def test_only_what_readers_wait_behind_is_cut_short():
    """50 ms for those; the patience, or no limit, for those that are in nobody's way."""
    waits = {kind: limits(kind, patience_seconds=7).lock for kind in LockClass}

    assert waits == {
        LockClass.CATALOGUE: 50,
        LockClass.SHARED: 7000,
        LockClass.CONCURRENT: 0,
        LockClass.ROWS: 50,
        LockClass.QUESTION: 7000,
    }


@given(st.integers())
def test_pauses_grow_to_a_second_and_end_with_the_patience(seed):
    """Each is between half and one and a half of what it grows to."""
    backoff, waited, pauses = Backoff(60.0, rng=random.Random(seed)), 0.0, []
    while (pause := backoff.pause(waited)) is not None:
        pauses.append(pause)
        waited += pause

    assert 40 <= len(pauses) <= 130
    assert 0.05 <= pauses[0] <= 0.15
    assert max(pauses) <= 1.5
    assert 58.5 <= waited <= 60.0


def test_two_runners_do_not_try_in_step():
    """Jitter."""
    assert Backoff(60.0).pause(0) != Backoff(60.0).pause(0)


def settled(throttle, *, row_seconds, write_seconds=0.001, batches=60):
    for _ in range(batches):
        size = throttle.size
        throttle.observe(size * row_seconds, rows=size, write_seconds=write_seconds)
    return throttle


@pytest.mark.parametrize("row_seconds", [2e-6, 1e-5, 5e-5])
def test_a_batch_takes_half_of_what_a_write_may(row_seconds):
    """Whatever a row costs: 5 ms of 10, or the largest batch."""
    throttle = settled(Throttle(0.010), row_seconds=row_seconds)

    assert throttle.size == pytest.approx(min(0.005 / row_seconds, Throttle.LARGEST), rel=0.1)


def test_slow_writes_double_the_pauses_and_quick_ones_shrink_them():
    """Up to nine tenths of the time, down to a tenth of the batch's."""
    throttle = settled(Throttle(0.010), row_seconds=1e-5, write_seconds=0.05)
    assert throttle.pause_seconds == pytest.approx(9 * 0.005, rel=0.2)
    settled(throttle, row_seconds=1e-5, write_seconds=0.001)

    assert throttle.pause_seconds == pytest.approx(0.0005, rel=0.2)


@given(st.lists(st.tuples(st.floats(0, 10), st.floats(0, 10) | st.none(), st.booleans())))
def test_size_and_pause_stay_within_bounds(observations):
    """Whatever is measured."""
    throttle = Throttle(0.010)
    for took, wrote, stumbled in observations:
        throttle.observe(took, rows=throttle.size, write_seconds=wrote)
        if stumbled:
            throttle.stumble()

        assert Throttle.SMALLEST <= throttle.size <= Throttle.LARGEST
        assert 0.1 * took <= throttle.pause_seconds <= 9 * took


def test_a_batch_that_got_no_lock_is_halved():
    """Its rows were somebody else's; fewer of them wait the next time."""
    throttle = Throttle()
    throttle.stumble()

    assert throttle.size == Throttle.FIRST // 2


def test_a_short_last_batch_changes_no_size():
    """It was quick because it was short."""
    throttle = Throttle()
    throttle.observe(0.0001, rows=3, write_seconds=None)

    assert throttle.size == Throttle.FIRST
