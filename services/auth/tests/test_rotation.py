"""When keys begin, take over and go, without a database or a clock."""

from datetime import UTC, datetime, timedelta

from auth.rotation import KEPT, LEAD, NEXT, OLD, Due, KeyDates, due
from auth.tokens import LIFETIME
from platform_kit.tokens import KEYS_MAX_AGE_SECONDS, LEEWAY_SECONDS

NOW = datetime(2026, 3, 1, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def signing(serial, since=NOW):
    return KeyDates(serial, since, since)


def waiting(since=NOW):
    return KeyDates(NEXT, since)


def test_a_key_waits_for_longer_than_a_verifier_keeps_what_it_fetched():
    """Else its first token would meet a verifier that has never heard of it."""
    assert timedelta(seconds=KEYS_MAX_AGE_SECONDS) < LEAD


def test_a_key_stays_for_longer_than_a_token_that_it_signed():
    """With what verifiers allow for clocks that differ."""
    assert LIFETIME + timedelta(seconds=LEEWAY_SECONDS) < KEPT


def test_one_key_in_its_days_needs_nothing():
    """As it is most of the time."""
    assert not due([signing(1)], NOW + OLD - SECOND)


def test_the_next_key_takes_over_after_its_lead():
    """And not a second before."""
    keys = [signing(1), waiting()]

    assert not due(keys, NOW + LEAD - SECOND)
    assert due(keys, NOW + LEAD) == Due(promote=True)


def test_the_key_before_goes_when_its_last_token_has_expired():
    """Which is told by when the next one began."""
    keys = [signing(2), signing(1, NOW - OLD)]

    assert not due(keys, NOW + KEPT - SECOND)
    assert due(keys, NOW + KEPT) == Due(retire=(1,))


def test_of_many_keys_all_but_the_last_go():
    """However long nobody looked."""
    keys = [signing(3), signing(2, NOW - OLD), signing(1, NOW - 2 * OLD)]

    assert due(keys, NOW).retire == (1,)
    assert due(keys, NOW + KEPT).retire == (2, 1)


def test_an_old_key_has_a_next_one_announced_once():
    """Nobody has to think of it."""
    assert due([signing(1)], NOW + OLD) == Due(announce=True)
    assert not due([signing(1), waiting(NOW + OLD)], NOW + OLD).announce


def test_a_key_of_an_older_release_signs_since_it_was_made():
    """1.2.0 did not write when."""
    assert due([KeyDates(1, NOW)], NOW + OLD) == Due(announce=True)
    assert due([KeyDates(2, NOW), KeyDates(1, NOW - OLD)], NOW + KEPT).retire == (1,)
