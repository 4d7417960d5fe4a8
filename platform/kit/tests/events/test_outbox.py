"""Written with the change, delivered at least once, in the order of its key."""

from datetime import timedelta

import pytest
from sqlalchemy import select, text
from telling import outbox

from platform_kit import trace
from platform_kit.events import Relay, write
from platform_kit.events.outbox import CLAIM, GIVE_UP_AFTER, Depth, Outbox
from platform_kit.events.relay import Delivery

pytestmark = pytest.mark.integration

MINUTE = timedelta(minutes=1)


def test_an_event_is_there_with_its_change_or_not_at_all(database, waiting):
    """What is rolled back was never told."""
    with database.begin() as connection:
        write(connection, outbox, type_="Told", version=1, key="tea", data={})
        connection.rollback()

    assert waiting() == []


def test_what_was_told_arrives_and_is_deleted(tell, relay, line, times, waiting):
    """Once, as it was written."""
    event_id = tell("tea")

    assert relay.deliver() == 1
    assert (times(), waiting()) == ({"tea": 1}, [])
    (sent,) = line.sent
    assert (sent.event.id, sent.event.type, sent.event.version) == (event_id, "Told", 1)
    assert (sent.event.key, sent.event.data, sent.attempts) == ("tea", {"name": "tea"}, 1)


def test_an_event_carries_the_trace_of_the_request_that_wrote_it(tell, relay, line):
    """Outside of one it has none."""
    span = trace.received("00-" + "a" * 32 + "-" + "b" * 16 + "-01", "vendor=1")
    before = trace.current.set(span)
    tell("traced")
    trace.current.reset(before)
    tell("plain")

    relay.deliver()

    assert [sent.trace for sent in line.sent] == [span.headers(), {}]
    assert line.sent[0].trace["traceparent"].startswith("00-" + "a" * 32)


def test_what_is_settled_with_a_delivery_is_done_in_its_transaction(
    database, tell, line, waiting, times
):
    """If it fails, the event stays, and has no second effect when it comes again."""
    settled = []

    def settle(_connection, event):
        settled.append(event.key)
        if len(settled) == 1:
            raise ZeroDivisionError

    relay = Relay(database, outbox, line, settle=settle)
    tell("tea")
    with pytest.raises(ZeroDivisionError):
        relay.deliver()
    assert waiting() == ["tea"]

    with database.begin() as connection:
        connection.execute(outbox.update().values(due_at=outbox.c.due_at - CLAIM))
    assert relay.deliver() == 1

    assert (settled, waiting(), times()) == (["tea", "tea"], [], {"tea": 1})


def test_events_of_a_key_arrive_in_their_order_and_wait_for_the_first(tell, relay, line, age):
    """Those of others do not."""
    for name in ("a1", "a2", "b1", "a3"):
        tell(name, key=name[0])
    line.faults.append(500)

    assert relay.deliver() == 1
    assert [sent.event.data["name"] for sent in line.sent] == ["a1", "b1"]
    age(MINUTE)
    assert relay.deliver() == 3
    assert [sent.event.data["name"] for sent in line.sent[2:]] == ["a1", "a2", "a3"]


def test_a_poison_event_does_not_block_the_others(tell, relay, line, waiting, times, age):
    """It is tried again and again, ever more rarely, and all the others go by."""
    line.poison = {"bad"}
    tell("bad")
    for number in range(5):
        tell(f"good {number}")

    assert relay.deliver() == 5
    assert waiting() == ["bad"]
    for round_ in range(3):
        tell(f"later {round_}")
        age(MINUTE)
        assert relay.deliver() == 1

    assert (waiting(), len(times())) == (["bad"], 8)
    assert line.keys().count("bad") == 4
    assert relay.deliveries()[Delivery.REFUSED] == 4


def test_a_consumer_that_is_away_is_not_asked_for_each_event(tell, relay, line, waiting):
    """The round ends; the next one begins with what waits for the longest."""
    for name in ("a", "b", "c"):
        tell(name)
    line.faults += ["dropped", "dropped"]

    assert (relay.deliver(), relay.deliver()) == (0, 0)
    assert line.keys() == ["a", "b"]
    assert relay.deliver() == 1
    assert waiting() == ["a", "b"]


def test_an_event_whose_answer_was_lost_comes_again_without_effect(
    tell, relay, line, waiting, times, age
):
    """That is what at least once means, and what the inbox is for."""
    tell("tea")
    line.faults.append("lost")
    assert relay.deliver() == 0
    assert (waiting(), times()) == (["tea"], {"tea": 1})

    age(MINUTE)

    assert relay.deliver() == 1
    assert (waiting(), times(), len(line.sent)) == ([], {"tea": 1}, 2)


def test_a_relay_that_died_between_delivery_and_mark_is_made_up_for(
    database, tell, relay, line, waiting, times, age
):
    """Its claim ends, another one delivers again, and nothing is doubled."""
    tell("tea")
    died = Outbox(database, outbox).claim()
    line.inbox.take(died.event)

    assert relay.deliver() == 0  # still claimed
    age(CLAIM)
    assert relay.deliver() == 1

    assert (waiting(), times()) == ([], {"tea": 1})
    assert line.sent[0].attempts == 2


def test_a_slow_relay_does_not_put_off_what_another_has_claimed(database, tell, age):
    """The newer claim holds."""
    tell("tea")
    rows = Outbox(database, outbox)
    slow = rows.claim()
    age(CLAIM)
    rows.claim()
    with database.connect() as connection:
        due = connection.execute(select(outbox.c.due_at)).scalar_one()

    rows.put_off(slow)

    with database.connect() as connection:
        assert connection.execute(select(outbox.c.due_at)).scalar_one() == due


def test_four_relays_at_once_share_the_work(database, tell, consumer, line, times, together):
    """Nothing is forgotten, nothing delivered twice."""
    for number in range(40):
        tell(f"event {number}")
    relays = [Relay(database, outbox, line) for _ in range(4)]

    delivered = together([relay.deliver for relay in relays])

    assert sum(delivered) == 40
    assert times() == {f"event {number}": 1 for number in range(40)}
    assert len(line.sent) == 40


def test_an_event_that_somebody_holds_is_skipped(database, tell, relay, together):
    """Nobody waits for a lock."""
    tell("tea")
    with database.begin() as connection:
        connection.execute(text("SELECT * FROM outbox FOR UPDATE"))

        assert together([relay.deliver]) == [0]
    assert relay.deliver() == 1


def test_what_was_tried_for_a_week_is_tried_no_more_and_counted(database, tell, relay, line, age):
    """A person has to look; an inbox remembers for longer."""
    tell("old")
    age(GIVE_UP_AFTER)
    tell("new")

    assert relay.deliver() == 1
    assert line.keys() == ["new"]
    depth = Outbox(database, outbox).depth()
    assert (depth.events, depth.given_up) == (1, 1)
    assert depth.oldest_seconds >= GIVE_UP_AFTER.total_seconds()


def test_the_depth_of_an_empty_outbox_is_nothing(database):
    """Not an age of None."""
    assert Outbox(database, outbox).depth() == Depth(0, 0.0, 0)


def test_looking_for_what_is_due_uses_the_indexes(database, tell, age):
    """A look twice a second must not read an outbox that has grown long."""
    with database.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO outbox (id, type, version, key, data, trace, due_at)"
                " SELECT gen_random_uuid(), 'Told', 1, n::text, '{}', '{}', now() + interval '1 h'"
                " FROM generate_series(1, 20000) AS n"
            )
        )
        connection.execute(text("ANALYZE outbox"))
        plan = connection.execute(
            text(
                "EXPLAIN SELECT id FROM outbox AS due WHERE due_at <= now() AND NOT EXISTS"
                " (SELECT FROM outbox AS before WHERE before.key = due.key"
                " AND before.number < due.number)"
                " ORDER BY due_at, number LIMIT 1 FOR UPDATE OF due SKIP LOCKED"
            )
        )
        found = "\n".join(plan.scalars())

    assert "outbox_due" in found
    assert "outbox_of_key" in found
