"""Each event has its effect once."""

import threading
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import func, select
from telling import count, inbox

from platform_kit.events import Event, Inbox
from platform_kit.events.inbox import KEPT, PRUNED_AT_ONCE, Outcome
from platform_kit.events.outbox import GIVE_UP_AFTER

pytestmark = pytest.mark.integration


@pytest.fixture
def event():
    """An event that nobody has seen."""

    def make(**changes):
        whole = {"id": uuid4(), "type": "Told", "version": 1, "key": "tea", "data": {"name": "tea"}}
        return Event(**{**whole, "at": datetime.now(UTC), **changes})

    return make


def noted(database):
    with database.connect() as connection:
        return connection.scalar(select(func.count()).select_from(inbox))


def test_the_same_event_twenty_times_at_once_has_one_effect(consumer, event, times, together):
    """One is told that it was applied, nineteen that it had been."""
    told = event()

    receipts = together([lambda: consumer.take(told)] * 20)

    outcomes = sorted(receipt.outcome for receipt in receipts)
    assert outcomes == [Outcome.APPLIED] + [Outcome.REPEATED] * 19
    assert times() == {"tea": 1}


def test_two_events_have_two_effects(consumer, event, times):
    """The control: it is the id that counts, not what is in it."""
    consumer.take(event())
    consumer.take(event())

    assert times() == {"tea": 2}


def test_an_event_whose_effect_failed_is_as_if_it_had_not_come(database, event, times):
    """Neither noted nor half done; the next delivery has its effect."""
    failing = [True]

    def fail_once(connection, told):
        count(connection, told)
        if failing:
            failing.pop()
            raise ZeroDivisionError

    consumer = Inbox(database, inbox, {("Told", 1): fail_once})
    told = event()
    with pytest.raises(ZeroDivisionError):
        consumer.take(told)
    assert (times(), noted(database)) == ({}, 0)

    assert consumer.take(told).outcome is Outcome.APPLIED
    assert (times(), noted(database)) == ({"tea": 1}, 1)


@pytest.mark.parametrize("unknown", [{"version": 2}, {"type": "Untold"}])
def test_what_this_release_does_not_know_is_skipped_confirmed_and_counted(
    database, consumer, event, times, unknown
):
    """By a type of its own or as `other`: what is sent makes no series."""
    receipt = consumer.take(event(**unknown))

    assert receipt.outcome is Outcome.SKIPPED
    assert (times(), noted(database)) == ({}, 0)
    type_ = "other" if "type" in unknown else "Told"
    assert consumer.taken()[type_, Outcome.SKIPPED] == 1


def test_what_is_too_old_to_come_again_is_forgotten(database, consumer, event, many_received, age):
    """In as many statements as it takes, and nothing younger."""
    many_received(PRUNED_AT_ONCE + 1)
    age(KEPT)
    consumer.take(event())

    assert consumer.prune() == PRUNED_AT_ONCE + 1
    assert noted(database) == 1
    assert consumer.prune() == 0


def test_an_inbox_remembers_for_longer_than_anybody_tries():
    """Else what was tried last would have a second effect."""
    assert GIVE_UP_AFTER + timedelta(days=1) <= KEPT


def test_an_inbox_prunes_from_its_start_until_it_is_told_to_stop(
    database, consumer, many_received, age
):
    """It need not live for an hour."""
    many_received(3)
    age(KEPT)
    stop = threading.Event()
    thread = threading.Thread(target=consumer.run, args=(stop,))
    thread.start()
    stop.set()
    thread.join(10)

    assert not thread.is_alive()
    assert noted(database) == 0
