"""The promises of the Ledger protocol: claims about any ledger, on a clock that the claim reads out.

Each is called with a fresh ledger. Holders are named as if they were on another machine, so that no
ledger can know that they are dead.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from deployer.ledger import Entry, LeaseHeldError, Ledger, Request, StaleFenceError, Verb
from deployer.ledger.holder import LEASE_SECONDS
from deployer.model import ServiceName

PRODUCT, ORDER = ServiceName("product"), ServiceName("order")
ANN, BOB = "ann-host:1:1.00", "bob-host:2:2.00"
LAPSED = LEASE_SECONDS + 0.1
ABORT = Request(101.0, Verb.ABORT, by="ann", why="wrong button")


def done(at: float, body: str = "{}") -> Entry:
    return Entry(at, "done", body, f"watching {at:.0f}")


def a_lease_is_refused_while_its_term_lasts(ledger: Ledger):
    """The refusal says whose it is, since when, and how to go on."""
    ledger.acquire(PRODUCT, ANN, now=100.0)

    with pytest.raises(LeaseHeldError) as refused:
        ledger.acquire(PRODUCT, BOB, now=103.0)

    assert refused.value.code == "rollout-running"
    assert refused.value.lease.holder == ANN
    assert ANN in refused.value.cause
    assert "3 s ago" in refused.value.cause
    assert "deployer abort product" in refused.value.hint


def services_have_leases_of_their_own(ledger: Ledger):
    """A rollout of one service never waits for another's."""
    ledger.acquire(PRODUCT, ANN, now=100.0)

    assert ledger.acquire(ORDER, BOB, now=100.0).service == ORDER


def every_new_lease_has_a_higher_fence(ledger: Ledger):
    """The number grows even when the lease was given back in between."""
    first = ledger.acquire(PRODUCT, ANN, now=100.0)
    ledger.release(first)
    second = ledger.acquire(PRODUCT, ANN, now=101.0)

    assert second.fence == first.fence + 1


def a_lease_lapses_when_its_term_is_over(ledger: Ledger):
    """A holder of another machine that stopped renewing is followed by the next."""
    first = ledger.acquire(PRODUCT, ANN, now=100.0)

    assert ledger.acquire(PRODUCT, BOB, now=100.0 + LAPSED).fence == first.fence + 1


def a_renewed_lease_does_not_lapse(ledger: Ledger):
    """Each heartbeat gives another term."""
    lease = ledger.acquire(PRODUCT, ANN, now=100.0)
    ledger.renew(lease, now=108.0)

    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, BOB, now=100.0 + LAPSED)


def a_lease_that_lapsed_is_kept_by_whoever_renews_it_first(ledger: Ledger):
    """Where nobody took it meanwhile, its holder goes on."""
    lease = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    ledger.renew(lease, now=200.0)
    ledger.append(lease, rollout, done(200.5))

    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, BOB, now=201.0)


def a_lease_that_was_given_back_is_free_at_once(ledger: Ledger):
    """Giving back one that another has changes nothing."""
    first = ledger.acquire(PRODUCT, ANN, now=100.0)
    ledger.release(first)
    second = ledger.acquire(PRODUCT, BOB, now=100.0)
    ledger.release(first)
    ledger.renew(second, now=101.0)

    with pytest.raises(LeaseHeldError):
        ledger.acquire(PRODUCT, ANN, now=102.0)


def whoever_lost_the_lease_writes_nothing(ledger: Ledger):
    """Not an event, not an outcome, not a renewal, not a rollout; what was written stays."""
    lost = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lost, "{}", now=100.0)
    ledger.append(lost, rollout, done(101.0))
    ledger.acquire(PRODUCT, BOB, now=100.0 + LAPSED)
    writes = (
        lambda: ledger.append(lost, rollout, done(111.0)),
        lambda: ledger.finish(lost, rollout, "promoted", now=111.0),
        lambda: ledger.renew(lost, now=111.0),
        lambda: ledger.begin(lost, "{}", now=111.0),
    )
    for write in writes:
        with pytest.raises(StaleFenceError):
            write()

    assert ledger.entries(PRODUCT, rollout) == (done(101.0),)
    assert [header.outcome for header in ledger.history(PRODUCT)] == [None]


def whoever_took_the_lease_goes_on_with_the_rollout(ledger: Ledger):
    """It reads what the one before wrote, and writes behind it."""
    lost = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lost, "{}", now=100.0)
    ledger.append(lost, rollout, done(101.0, "1"))
    lease = ledger.acquire(PRODUCT, BOB, now=100.0 + LAPSED)
    ledger.append(lease, rollout, done(111.0, "2"))
    ledger.finish(lease, rollout, "promoted", now=112.0)

    assert [entry.body for entry in ledger.entries(PRODUCT, rollout)] == ["1", "2"]
    assert ledger.history(PRODUCT)[0].outcome == "promoted"


def events_come_back_as_they_were_written(ledger: Ledger):
    """All of them, in their order, to the letter."""
    lease = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lease, '{"a": 1}', now=100.0)
    written = tuple(
        Entry(100.0 + n / 7, "looked", f'{{"n": {n}, "s": 1e-7, "t": "ü\\n"}}', f"at {n} ± %")
        for n in range(150)
    )
    for entry in written:
        ledger.append(lease, rollout, entry)

    assert ledger.entries(PRODUCT, rollout) == written


def history_lists_a_services_rollouts_newest_first(ledger: Ledger):
    """With their outcome, without other services' ones, and no longer than asked for."""
    lease, other = ledger.acquire(PRODUCT, ANN, now=0.0), ledger.acquire(ORDER, ANN, now=0.0)
    first = ledger.begin(lease, "one", now=1.0)
    ledger.append(lease, first, done(2.0))
    ledger.finish(lease, first, "promoted", now=3.0)
    ledger.begin(other, "other", now=4.0)
    second = ledger.begin(lease, "two", now=5.0)
    newest, oldest = ledger.history(PRODUCT)

    assert (newest.id, newest.order, newest.outcome) == (second, "two", None)
    assert (oldest.id, oldest.order, oldest.outcome) == (first, "one", "promoted")
    assert (oldest.started_at, oldest.finished_at, oldest.summary) == (1.0, 3.0, "")
    assert second > first
    assert ledger.history(PRODUCT, limit=1) == (newest,)
    assert [header.service for header in ledger.history(ORDER)] == [ORDER]
    assert ledger.history(ServiceName("auth")) == ()


def a_request_waits_until_an_event_answers_it(ledger: Ledger):
    """What one process asks, the holder sees until it has written down what came of it."""
    lease = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    assert not ledger.has_requests(PRODUCT, rollout)
    ledger.request(PRODUCT, rollout, ABORT)
    assert ledger.has_requests(PRODUCT, rollout)
    assert ledger.requests(PRODUCT, rollout) == ledger.requests(PRODUCT, rollout) == (ABORT,)

    answered = ledger.requests(PRODUCT, rollout)
    ledger.request(PRODUCT, rollout, Request(102.0, Verb.PROMOTE, by="bob", why="looks well"))
    ledger.append(lease, rollout, done(103.0), answers=answered)
    assert [each.by for each in ledger.requests(PRODUCT, rollout)] == ["bob"]
    assert ledger.has_requests(PRODUCT, rollout)

    ledger.append(lease, rollout, done(104.0), answers=ledger.requests(PRODUCT, rollout))
    assert not ledger.has_requests(PRODUCT, rollout)
    assert ledger.requests(PRODUCT, rollout) == ()


def a_refused_event_answers_nothing(ledger: Ledger):
    """A holder whose lease was taken over leaves the wish to the one who has it."""
    old = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(old, "{}", now=100.0)
    ledger.request(PRODUCT, rollout, ABORT)
    new = ledger.acquire(PRODUCT, BOB, now=100.0 + LAPSED)
    wishes = ledger.requests(PRODUCT, rollout)
    with pytest.raises(StaleFenceError):
        ledger.append(old, rollout, done(111.0), answers=wishes)
    assert ledger.has_requests(PRODUCT, rollout)

    ledger.append(new, rollout, done(112.0), answers=wishes)
    assert not ledger.has_requests(PRODUCT, rollout)


def an_event_that_cannot_be_written_leaves_nothing_behind(ledger: Ledger):
    """The ledger goes on as if nobody had tried."""
    lease = ledger.acquire(PRODUCT, ANN, now=100.0)
    rollout = ledger.begin(lease, "{}", now=100.0)
    with pytest.raises(AttributeError):
        ledger.append(lease, rollout, None)  # type: ignore[arg-type]
    ledger.append(lease, rollout, done(101.0))

    assert ledger.entries(PRODUCT, rollout) == (done(101.0),)


PROMISES: tuple[Callable[[Ledger], None], ...] = (
    a_lease_is_refused_while_its_term_lasts,
    services_have_leases_of_their_own,
    every_new_lease_has_a_higher_fence,
    a_lease_lapses_when_its_term_is_over,
    a_renewed_lease_does_not_lapse,
    a_lease_that_lapsed_is_kept_by_whoever_renews_it_first,
    a_lease_that_was_given_back_is_free_at_once,
    whoever_lost_the_lease_writes_nothing,
    whoever_took_the_lease_goes_on_with_the_rollout,
    events_come_back_as_they_were_written,
    history_lists_a_services_rollouts_newest_first,
    a_request_waits_until_an_event_answers_it,
    a_refused_event_answers_nothing,
    an_event_that_cannot_be_written_leaves_nothing_behind,
)


def name_of(promise: Callable[[Ledger], None]) -> str:
    return promise.__name__
