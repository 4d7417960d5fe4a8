"""What a run of migrations held and took, and what of it is over budget: without a database."""

from __future__ import annotations

import json

import pytest

from deployer.migrations.budget import Budget, over_budget, shown, steps_of, stopped
from deployer.migrations.parse import parse
from deployer.migrations.recording import AtWork, read_at_work, read_recording

BUDGET = Budget(lock_seconds=0.1, duration_seconds=60)


def row(sql, *, began, ended, transaction: int | None = 1, author="revision", **locks):
    """A statement as the recorder writes it down; its locks by table."""
    return {
        "kind": "statement",
        "revision": "0003",
        "author": author,
        "sql": sql,
        "transaction": transaction,
        "began": began,
        "ended": ended,
        "locks": {table: [mode] for table, mode in locks.items()},
        "rewritten": [],
    }


def end(transaction, at):
    return {"kind": "ended", "transaction": transaction, "at": at}


def steps(*rows):
    text = "".join(f"{json.dumps(each)}\n" for each in rows)
    return steps_of(read_recording(text), phase="expand", parse=parse)


ADD = "ALTER TABLE orders ADD COLUMN note text"
FILL = "UPDATE orders SET note = ''"


def test_a_lock_is_held_until_its_transaction_ends():
    """So a change of a millisecond is an outage when something slow comes after it."""
    added, filled = steps(
        row(ADD, began=1.0, ended=1.001, orders="AccessExclusiveLock"),
        row(FILL, began=1.001, ended=3.0, orders="AccessExclusiveLock"),
        end(1, 3.25),
    )

    assert (added.lock, added.tables, added.held_seconds) == ("ACCESS EXCLUSIVE", ("orders",), 2.25)
    assert added.seconds == pytest.approx(0.001)
    assert (filled.lock, filled.seconds) == (None, pytest.approx(1.999))
    (over,) = over_budget((added, filled), BUDGET)
    assert (over.budget, over.revision, over.statement) == ("lock", "0003", ADD)
    assert over.why == "held ACCESS EXCLUSIVE on orders for 2250 ms, over the budget of 100 ms"


def test_the_batches_of_a_backfill_are_one_row():
    """Their longest counts for those who wait, their sum for the time."""
    (filled,) = steps(
        row(FILL, began=1.0, ended=1.02, transaction=1, orders="RowExclusiveLock"),
        end(1, 1.03),
        row(FILL, began=2.0, ended=2.01, transaction=2, orders="RowExclusiveLock"),
        end(2, 2.05),
    )

    assert (filled.times, filled.held_seconds) == (2, pytest.approx(0.05))
    assert filled.seconds == pytest.approx(0.03)
    assert list(over_budget([filled], BUDGET)) == []


@pytest.mark.parametrize(
    ("mode", "counts"),
    [
        ("AccessShareLock", False),
        ("RowShareLock", False),
        ("RowExclusiveLock", True),
        ("ShareUpdateExclusiveLock", False),
        ("ShareLock", True),
        ("ShareRowExclusiveLock", True),
        ("AccessExclusiveLock", True),
    ],
)
def test_only_what_writers_wait_for_is_measured_by_the_lock_budget(mode, counts):
    """A validation may take its time; so may not an update of all rows."""
    found = steps(row(FILL, began=1.0, ended=3.0, orders=mode), end(1, 3.0))

    assert [over.budget for over in over_budget(found, BUDGET)] == ["lock"] * counts


def test_a_statement_outside_of_a_transaction_has_the_lock_that_it_is_known_to_take():
    """And has it as long as it runs."""
    sql = "CREATE INDEX CONCURRENTLY i ON orders (note)"
    (built,) = steps(row(sql, began=1.0, ended=5.0, transaction=None))

    assert (built.lock, built.tables) == ("SHARE UPDATE EXCLUSIVE", ("orders",))
    assert built.held_seconds == 4.0
    assert list(over_budget([built], BUDGET)) == []


def test_what_a_helper_asks_is_a_row_only_when_it_takes_time():
    """A revision's own statements always are."""
    found = steps(
        row("SELECT 1", began=1.0, ended=1.001, author="helper"),
        row("SELECT 2", began=2.0, ended=2.5, author="helper"),
        row("SELECT 3", began=3.0, ended=3.001),
        end(1, 3.01),
    )

    assert [step.statement for step in found] == ["SELECT 2", "SELECT 3"]


def test_a_transaction_that_was_never_seen_to_end_is_measured_as_far_as_it_was_seen():
    """Its run was ended."""
    (added,) = steps(row(ADD, began=1.0, ended=1.5, orders="AccessExclusiveLock"))

    assert added.held_seconds == 0.5


@pytest.mark.parametrize(("seconds", "budget"), [(60.0, "duration"), (7.0, "lock")])
def test_what_was_at_work_when_the_run_was_ended_is_named(seconds, budget):
    """It never ended, so nobody wrote down what it did; a line that was cut short is none."""
    begun = {"kind": "began", "revision": "0003", "sql": FILL, "at": 1.0}
    at_work = read_at_work(f'{json.dumps(begun)}\n{{"kind": "beg')

    assert at_work == AtWork("0003", FILL)
    over = stopped(at_work, seconds, BUDGET)
    assert (over.budget, over.revision, over.statement) == (budget, "0003", FILL)


def test_a_run_that_began_nothing_was_at_nothing():
    """It ended for another reason."""
    assert read_at_work("") is None


def test_a_long_statement_is_shortened_to_one_line():
    """For a table, and for an error."""
    assert shown("ALTER\n  TABLE x") == "ALTER TABLE x"
    assert len(shown("x" * 1000)) == 164
