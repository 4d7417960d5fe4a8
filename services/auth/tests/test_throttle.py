"""How failures fill a bucket and leak out of it, without a database or a clock."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from auth.throttle import ACCOUNT, ADDRESS, FORGOTTEN_AFTER, Bucket, Rule

NOW = datetime(2026, 3, 1, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
RULE = Rule(room=3, leak=10 * MINUTE, lock=5 * MINUTE)


def failed(times, rule=RULE, bucket=None, at=NOW):
    """A bucket after so many failures at one moment."""
    bucket = bucket or Bucket(0, at)
    for _ in range(times):
        bucket = bucket.filled(rule, at)
    return bucket


def test_the_last_failure_that_there_is_room_for_locks():
    """Until then nothing happens."""
    assert failed(2).lock_left(NOW) is None
    assert failed(3).lock_left(NOW) == 5 * MINUTE


def test_a_lock_ends_and_the_next_failure_locks_again():
    """Nothing has leaked in five minutes; who goes on guessing is answered once a lock."""
    locked = failed(3)
    later = NOW + 5 * MINUTE

    assert locked.lock_left(later) is None
    assert locked.filled(RULE, later).lock_left(later) == 5 * MINUTE


def test_what_leaks_leaves_room():
    """One in ten minutes, counted from the first failure on, whenever the others came."""
    bucket = failed(3).filled(RULE, NOW + 19 * MINUTE)

    assert bucket == Bucket(3, NOW + 10 * MINUTE, NOW + 24 * MINUTE)
    assert bucket.filled(RULE, NOW + 30 * MINUTE) == Bucket(2, NOW + 30 * MINUTE)


def test_what_has_leaked_out_counts_no_more():
    """After half an hour three failures are none."""
    later = NOW + 30 * MINUTE

    assert failed(3).filled(RULE, later) == Bucket(1, later)


def test_a_locked_bucket_takes_nothing():
    """A storm of guesses makes the lock no longer."""
    locked = failed(3)

    assert failed(1000, bucket=locked, at=NOW + MINUTE) == locked


def test_a_clock_that_goes_back_fills_nothing():
    """Two machines' clocks differ."""
    assert failed(1).filled(RULE, NOW - MINUTE).failures == 2


def guesses(rule, *, within):
    """How many guesses somebody gets an answer to who tries every second."""
    bucket, now, made = Bucket(0, NOW), NOW, 0
    while now < NOW + within:
        left = bucket.lock_left(now)
        if left is None:
            bucket, made = bucket.filled(rule, now), made + 1
        now += left or timedelta(seconds=1)
    return made


def test_an_account_can_be_guessed_at_a_hundred_times_a_day():
    """The figure that the module's rules promise, and what an online guess is worth against 12 characters."""
    assert 50 < guesses(ACCOUNT, within=timedelta(days=1)) <= 110


def test_an_address_can_guess_ten_times_a_minute():
    """Beyond its first hundred."""
    assert guesses(ADDRESS, within=timedelta(minutes=30)) <= 100 + 10 * 30


@given(st.lists(st.integers(0, 10**5), max_size=60))
def test_what_is_forgotten_would_be_empty(seconds):
    """A row may be thrown away once it is `FORGOTTEN_AFTER` old, whatever has filled it."""
    bucket, now = Bucket(0, NOW), NOW
    for each in seconds:
        now += timedelta(seconds=each)
        bucket = bucket.filled(ACCOUNT, now)
    later = max(bucket.leaks_from + FORGOTTEN_AFTER, bucket.locked_until or NOW)

    assert bucket.lock_left(later) is None
    assert bucket.filled(ACCOUNT, later).failures == 1
