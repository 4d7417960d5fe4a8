"""The ledger in memory makes the same promises as the one on disk, except that it lasts."""

from __future__ import annotations

import pytest

from deployer.ledger import Entry, LeaseHeldError, Ledger, Request, StaleFenceError, Verb
from deployer.ledger.memory import LEASE_SECONDS, MemoryLedger
from deployer.model import ServiceName

PRODUCT, ORDER = ServiceName("product"), ServiceName("order")


@pytest.fixture
def ledger() -> Ledger:
    return MemoryLedger()


def test_a_lease_is_refused_until_its_term_is_over(ledger: Ledger):
    """Renewing begins another term; then the next holder gets a higher fence."""
    first = ledger.acquire(PRODUCT, "a", now=100.0)
    ledger.renew(first, now=105.0)

    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, "b", now=104.9 + LEASE_SECONDS)

    assert ledger.acquire(PRODUCT, "b", now=105.0 + LEASE_SECONDS).fence == first.fence + 1


def test_services_have_leases_of_their_own(ledger: Ledger):
    """A rollout of one service never waits for another's."""
    ledger.acquire(PRODUCT, "a", now=100.0)

    assert ledger.acquire(ORDER, "b", now=100.0).fence == 1


def test_a_lease_that_was_given_back_is_free_at_once(ledger: Ledger):
    """Giving it back twice, or one that another has, changes nothing."""
    first = ledger.acquire(PRODUCT, "a", now=100.0)
    ledger.release(first)
    second = ledger.acquire(PRODUCT, "b", now=100.0)
    ledger.release(first)

    assert second.fence == 2
    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, "c", now=100.0)


def test_whoever_lost_the_lease_writes_nothing(ledger: Ledger):
    """Every write is refused; what was written stays."""
    lost = ledger.acquire(PRODUCT, "a", now=0.0)
    rollout = ledger.begin(lost, "{}", now=0.0)
    ledger.acquire(PRODUCT, "b", now=LEASE_SECONDS)
    writes = (
        lambda: ledger.renew(lost, now=11.0),
        lambda: ledger.begin(lost, "{}", now=11.0),
        lambda: ledger.append(lost, rollout, Entry(11.0, "done", "{}", "")),
        lambda: ledger.finish(lost, rollout, "promoted", now=11.0),
    )
    for write in writes:
        with pytest.raises(StaleFenceError):
            write()

    assert ledger.entries(rollout) == ()
    assert ledger.history(PRODUCT)[0].outcome is None


def test_events_and_outcomes_are_kept_in_order(ledger: Ledger):
    """The history of a service is its own, newest first, and no longer than asked for."""
    lease, other = ledger.acquire(PRODUCT, "a", now=0.0), ledger.acquire(ORDER, "a", now=0.0)
    first = ledger.begin(lease, "one", now=1.0)
    ledger.append(lease, first, Entry(1.0, "done", "1", ""))
    ledger.append(lease, first, Entry(2.0, "done", "2", ""))
    ledger.finish(lease, first, "promoted", now=3.0)
    ledger.begin(other, "other", now=4.0)
    second = ledger.begin(lease, "two", now=5.0)

    assert [entry.body for entry in ledger.entries(first)] == ["1", "2"]
    assert [header.id for header in ledger.history(PRODUCT)] == [second, first]
    (newest,) = ledger.history(PRODUCT, limit=1)
    assert (newest.order, newest.outcome) == ("two", None)
    oldest = ledger.history(PRODUCT)[1]
    assert (oldest.started_at, oldest.finished_at, oldest.outcome) == (1.0, 3.0, "promoted")


def test_a_request_waits_until_an_event_answers_it(ledger: Ledger):
    """The one that came meanwhile goes on waiting."""
    lease = ledger.acquire(PRODUCT, "a", now=0.0)
    rollout = ledger.begin(lease, "{}", now=0.0)
    abort = Request(1.0, Verb.ABORT, by="ann", why="wrong button")
    assert not ledger.has_requests(rollout)

    ledger.request(rollout, abort)
    waiting = ledger.requests(rollout)
    ledger.request(rollout, Request(2.0, Verb.PROMOTE, by="bob", why="fine"))
    ledger.append(lease, rollout, Entry(3.0, "abort-requested", "{}", ""), answers=waiting)

    assert waiting == (abort,)
    assert ledger.has_requests(rollout)
    assert [request.by for request in ledger.requests(rollout)] == ["bob"]
