"""The ledger of one machine: leases, fences, events, requests."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import psutil
import pytest

from deployer.ledger import Entry, LeaseHeldError, Request, StaleFenceError, Verb
from deployer.ledger.file import LEASE_SECONDS, FileLedger, holder_is_gone, this_holder
from deployer.model import ServiceName

PRODUCT, ORDER = ServiceName("product"), ServiceName("order")
ELSEWHERE = "other-host:1:1.00"  # a holder that can't be looked at from here


@pytest.fixture
def ledger(tmp_path: Path) -> FileLedger:
    return FileLedger(tmp_path / "ledger.sqlite")


def test_a_lease_is_refused_while_another_holder_lives(ledger: FileLedger):
    """The refusal says whose it is, since when, and how to go on."""
    ledger.acquire(PRODUCT, this_holder(), now=100.0)

    with pytest.raises(LeaseHeldError) as refused:
        ledger.acquire(PRODUCT, ELSEWHERE, now=103.0)

    assert refused.value.code == "rollout-running"
    assert this_holder() in refused.value.cause
    assert "3 s ago" in refused.value.cause
    assert "deployer abort product" in refused.value.hint


def test_services_have_leases_of_their_own(ledger: FileLedger):
    """A rollout of one service never waits for another's."""
    ledger.acquire(PRODUCT, this_holder(), now=100.0)

    assert ledger.acquire(ORDER, ELSEWHERE, now=100.0).service == ORDER


def test_every_new_lease_has_a_higher_fence(ledger: FileLedger):
    """The number grows even when the lease was given back in between."""
    first = ledger.acquire(PRODUCT, this_holder(), now=100.0)
    ledger.release(first)
    second = ledger.acquire(PRODUCT, this_holder(), now=101.0)

    assert second.fence == first.fence + 1


def test_a_lease_lapses_when_its_term_is_over(ledger: FileLedger):
    """A holder of another machine that stopped renewing is followed by the next."""
    ledger.acquire(PRODUCT, ELSEWHERE, now=100.0)

    assert ledger.acquire(PRODUCT, this_holder(), now=100.1 + LEASE_SECONDS).fence == 2


def test_a_renewed_lease_does_not_lapse(ledger: FileLedger):
    """Each heartbeat gives another term."""
    lease = ledger.acquire(PRODUCT, ELSEWHERE, now=100.0)
    ledger.renew(lease, now=108.0)

    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, this_holder(), now=100.1 + LEASE_SECONDS)


def test_a_dead_process_of_this_machine_loses_its_lease_at_once(ledger: FileLedger):
    """Nobody waits out the term of a holder that was killed."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    started = psutil.Process(child.pid).create_time()
    holder = f"{this_holder().rsplit(':', 2)[0]}:{child.pid}:{started:.2f}"
    ledger.acquire(PRODUCT, holder, now=100.0)
    assert not holder_is_gone(holder)
    child.communicate(b"\n")

    assert ledger.acquire(PRODUCT, this_holder(), now=100.5).fence == 2


def test_a_holder_whose_lease_was_taken_can_write_nothing(ledger: FileLedger):
    """Not an event, not an outcome, not a renewal."""
    old = ledger.acquire(PRODUCT, ELSEWHERE, now=100.0)
    rollout = ledger.begin(old, "{}", now=100.0)
    ledger.acquire(PRODUCT, this_holder(), now=200.0)

    with pytest.raises(StaleFenceError):
        ledger.append(old, rollout, Entry(201.0, "done", "{}", ""))
    with pytest.raises(StaleFenceError):
        ledger.finish(old, rollout, "promoted", now=201.0)
    with pytest.raises(StaleFenceError):
        ledger.renew(old, now=201.0)
    with pytest.raises(StaleFenceError):
        ledger.begin(old, "{}", now=201.0)
    assert ledger.entries(rollout) == ()


def test_releasing_a_lease_that_was_taken_over_leaves_the_new_one(ledger: FileLedger):
    """An old holder that wakes up late does not free what is another's."""
    old = ledger.acquire(PRODUCT, ELSEWHERE, now=100.0)
    new = ledger.acquire(PRODUCT, this_holder(), now=200.0)
    ledger.release(old)
    ledger.renew(new, now=201.0)

    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, ELSEWHERE, now=202.0)


def test_events_come_back_in_the_order_they_were_written(ledger: FileLedger):
    """Also from another connection to the same file."""
    lease = ledger.acquire(PRODUCT, this_holder(), now=100.0)
    rollout = ledger.begin(lease, '{"a": 1}', now=100.0)
    written = tuple(Entry(100.0 + n, "done", str(n), f"step {n}") for n in range(20))
    for entry in written:
        ledger.append(lease, rollout, entry)

    seen: list[tuple[Entry, ...]] = []
    thread = threading.Thread(target=lambda: seen.append(ledger.entries(rollout)))
    thread.start()
    thread.join()
    assert seen == [written]


def test_history_lists_a_services_rollouts_newest_first(ledger: FileLedger):
    """With their outcome, and without other services' ones."""
    lease = ledger.acquire(PRODUCT, this_holder(), now=100.0)
    first = ledger.begin(lease, "one", now=100.0)
    ledger.finish(lease, first, "promoted", now=110.0)
    ledger.begin(lease, "two", now=120.0)
    other = ledger.acquire(ORDER, this_holder(), now=100.0)
    ledger.begin(other, "three", now=130.0)

    history = ledger.history(PRODUCT)

    assert [(header.order, header.outcome) for header in history] == [
        ("two", None),
        ("one", "promoted"),
    ]
    assert ledger.history(PRODUCT, limit=1) == history[:1]


def test_a_request_waits_until_an_event_answers_it(ledger: FileLedger):
    """What one process asks, the holder sees until it has written down what came of it."""
    lease = ledger.acquire(PRODUCT, this_holder(), now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    wish = Request(101.0, Verb.ABORT, by="ann", why="wrong button")
    assert not ledger.has_requests(rollout)
    ledger.request(rollout, wish)

    assert ledger.requests(rollout) == ledger.requests(rollout) == (wish,)
    answered = ledger.requests(rollout)
    ledger.request(rollout, Request(102.0, Verb.PROMOTE, by="bob", why="looks well"))
    ledger.append(lease, rollout, Entry(103.0, "abort-requested", "{}", ""), answers=answered)
    assert [each.by for each in ledger.requests(rollout)] == ["bob"]
    assert ledger.has_requests(rollout)


def test_a_refused_event_answers_nothing(ledger: FileLedger):
    """A holder whose lease was taken over leaves the wish to the one who has it."""
    old = ledger.acquire(PRODUCT, ELSEWHERE, now=100.0)
    rollout = ledger.begin(old, "{}", now=100.0)
    ledger.request(rollout, Request(101.0, Verb.ABORT, by="ann", why="wrong button"))
    ledger.acquire(PRODUCT, this_holder(), now=200.0)
    with pytest.raises(StaleFenceError):
        ledger.append(
            old, rollout, Entry(201.0, "done", "{}", ""), answers=ledger.requests(rollout)
        )

    assert ledger.has_requests(rollout)


def test_a_write_that_fails_leaves_nothing_behind(ledger: FileLedger):
    """The transaction is rolled back, and the ledger goes on."""
    lease = ledger.acquire(PRODUCT, this_holder(), now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    with pytest.raises(AttributeError):
        ledger.append(lease, rollout, None)  # type: ignore[arg-type]
    ledger.append(lease, rollout, Entry(101.0, "done", "{}", ""))

    assert len(ledger.entries(rollout)) == 1
