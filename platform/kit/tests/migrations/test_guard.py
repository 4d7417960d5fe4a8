"""Against a database that others use: what a change may hold up, and whom it names when it gets no lock."""

import json
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
from histories import events

from platform_kit.errors import LockUnavailable, StatementTooLong, UnsafeChange
from platform_kit.migrations.guard import Guard

pytestmark = pytest.mark.integration

HELPER = 'migrations.add_column("things", sa.Column("colour", sa.Text))'
PLAIN = 'op.add_column("things", sa.Column("colour", sa.Text))'
COLUMNS = (
    "SELECT count(*) FROM pg_attribute WHERE attrelid = 'things'::regclass AND attname = 'colour'"
)


@contextmanager
def open_transaction(url, statement="SELECT * FROM things LIMIT 1"):
    """Be the session that everybody forgot."""
    with psycopg.connect(url, application_name="nightly report") as connection:
        connection.execute(statement)
        yield connection


class Reader(threading.Thread):
    """Reads one row again and again; `slowest` is the longest it took."""

    def __init__(self, url):
        super().__init__(daemon=True)
        self.slowest, self.reads = 0.0, 0
        self._url, self._stop_asked = url, threading.Event()

    def run(self):
        with psycopg.connect(self._url, autocommit=True) as connection:
            while not self._stop_asked.wait(0.002):
                began = time.monotonic()
                connection.execute("SELECT name FROM things WHERE id = 1")
                self.slowest = max(self.slowest, time.monotonic() - began)
                self.reads += 1

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self._stop_asked.set()
        self.join()


@pytest.mark.parametrize("body", [HELPER, PLAIN], ids=["helper", "plain"])
def test_readers_hardly_wait_behind_a_change_that_waits(
    history, things, apply, rows, database_url, body
):
    """The change is tried until the transaction has ended; a reader waits for one attempt at most."""
    things(10)
    history.expand(body)
    with Reader(database_url) as reader:
        with open_transaction(database_url):
            change = threading.Thread(target=apply)
            change.start()
            change.join(1.5)
            still_trying = change.is_alive()
        change.join()

    assert still_trying
    assert rows(COLUMNS) == [(1,)]
    assert reader.reads > 100
    assert reader.slowest < 0.5  # 0.05 and what a busy machine adds; unguarded it is 1.5


@pytest.mark.parametrize("body", [HELPER, PLAIN], ids=["helper", "plain"])
def test_a_lock_that_cannot_be_had_names_who_has_it(history, things, rows, database_url, body):
    """Pid, application, age and query; nothing was changed."""
    things(10)
    history.expand(body)
    with open_transaction(database_url) as holder:
        code, out, err = history.run(database_url, "--patience", "1")
        pid = holder.info.backend_pid
    problem = json.loads(err.splitlines()[-1])

    assert (code, out, problem["kind"]) == (1, "", "LockUnavailable")
    (blocker,) = problem["blockers"]
    assert (blocker["pid"], blocker["application"]) == (pid, "nightly report")
    assert blocker["query"] == "SELECT * FROM things LIMIT 1"
    assert blocker["age_seconds"] > 0.5
    assert f"blocked by pid {pid} (nightly report), idle in transaction" in problem["error"]
    assert f"SELECT pg_terminate_backend({pid})" in problem["error"]
    assert next(event["event"] for event in events(err)) == "lock_not_given"
    assert rows(COLUMNS) == [(0,)]
    assert rows("SELECT revision FROM schema_history") == [("0001",)]


def test_a_waiting_share_lock_is_in_nobodys_way(history, things, apply, rows, database_url):
    """Behind a VACUUM, or another change, the helper waits in one go, where readers and writers pass."""
    things(10)
    history.expand(HELPER)
    lock = "LOCK TABLE things IN SHARE UPDATE EXCLUSIVE MODE"
    with Reader(database_url) as reader:
        with open_transaction(database_url, lock) as holder:
            change = threading.Thread(target=apply)
            change.start()
            waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND mode = 'ShareUpdateExclusiveLock'"
            deadline = time.monotonic() + 30
            while rows(waiting) != [(1,)]:
                assert time.monotonic() < deadline
            reads = reader.reads
            while reader.reads < reads + 50:
                assert time.monotonic() < deadline
            rows("UPDATE things SET price = 1 WHERE id = 1")
            holder.rollback()
        change.join()

    assert rows(COLUMNS) == [(1,)]
    assert reader.slowest < 3  # who had to wait behind it would not have read the fifty


def test_an_index_is_built_behind_an_old_snapshot(history, things, apply, rows, database_url):
    """No time-out cuts it short: it waits, and nothing INVALID is left."""
    things(10)
    history.expand('migrations.create_index("things_by_name", "things", ["name"])')
    with psycopg.connect(database_url) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT count(*) FROM schema_history")
        change = threading.Thread(target=apply)
        change.start()
        change.join(1.0)
        still_waiting = change.is_alive()
        old.rollback()
    change.join()

    assert still_waiting
    assert rows(
        "SELECT indisvalid FROM pg_index WHERE indexrelid = 'things_by_name'::regclass"
    ) == [(True,)]


def test_a_plain_index_that_is_made_concurrently_has_no_time_out(
    history, things, apply, rows, database_url
):
    """The limits are the statement's, also when a revision executes it itself."""
    things(10)
    history.expand(
        "with op.get_context().autocommit_block():\n"
        '    op.create_index("i", "things", ["name"], postgresql_concurrently=True)'
    )
    with psycopg.connect(database_url) as old:
        old.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        old.execute("SELECT count(*) FROM schema_history")
        change = threading.Thread(target=apply)
        change.start()
        change.join(0.7)
        old.rollback()
    change.join()

    assert rows("SELECT indisvalid FROM pg_index WHERE indexrelid = 'i'::regclass") == [(True,)]


def test_a_change_that_holds_its_lock_for_long_is_cancelled(
    history, things, apply, rows, monkeypatch
):
    """And rolled back: it would be an outage."""
    things(10)
    monkeypatch.setattr("platform_kit.migrations.limits.CATALOGUE_MILLISECONDS", 200)
    history.expand('op.execute("DO $$ BEGIN PERFORM pg_sleep(20); END $$")')
    with pytest.raises(StatementTooLong, match=r"cancelled after 0\.2 s") as refused:
        apply()

    assert "hint: use the helper" in str(refused.value)
    assert rows("SELECT revision FROM schema_history") == [("0001",)]


def test_plain_operations_before_a_helper_are_refused(history, things, apply, rows):
    """They would be committed without the revision, and fail when it is run again."""
    things(1)
    history.expand('op.create_table("more", sa.Column("id", sa.Integer))\n' + HELPER)
    with pytest.raises(UnsafeChange, match="after plain operations"):
        apply()

    assert rows("SELECT to_regclass('more')::text") == [(None,)]


def test_plain_operations_after_the_helpers_belong_to_the_revision(history, things, apply, rows):
    """One transaction with its line."""
    things(1)
    history.expand(
        HELPER + '\nop.create_table("more", sa.Column("id", sa.Integer))\nop.execute("SELECT 1/0")'
    )
    with pytest.raises(Exception, match="division by zero"):
        apply()
    history.expand(HELPER + '\nop.create_table("more", sa.Column("id", sa.Integer))')

    assert apply().applied == ["0002"]
    assert rows("SELECT to_regclass('more')::text") == [("more",)]


def test_sessions_say_who_they_are_and_do_not_sit_on_locks(database_url):
    """`application_name`, and a bound on idling in a transaction."""
    guard = Guard(database_url)
    with guard.engine.connect() as connection:
        shown = [
            connection.exec_driver_sql(f"SHOW {name}").scalar_one()
            for name in ("application_name", "idle_in_transaction_session_timeout")
        ]
    guard.close()

    assert shown == ["platform_kit.migrations", "10s"]


def test_what_a_killed_runner_left_at_work_is_ended(
    history, things, apply, rows, database_url, eventually
):
    """Its session still builds an index, say, which the next runner has to drop."""
    things(1)
    history.expand(HELPER)
    with psycopg.connect(
        database_url, application_name="platform_kit.migrations", autocommit=True
    ) as orphan:
        sleeping = threading.Thread(target=_sleep, args=[orphan])
        sleeping.start()
        eventually(
            lambda: rows("SELECT 1 FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%'")
        )
        done = apply()
        sleeping.join()
        closed = orphan.closed

    assert done.applied == ["0002"]
    assert closed


def _sleep(connection):
    with pytest.raises(psycopg.OperationalError, match="terminating connection"):
        connection.execute("SELECT pg_sleep(60)")


def test_patience_that_is_over_says_how_often_it_tried(database_url):
    """Each attempt was 50 ms, and the pauses lay between."""
    guard = Guard(database_url, patience_seconds=0.5)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE held (id int)")

    def change():
        with guard.engine.begin() as connection:
            connection.exec_driver_sql("DROP TABLE held")

    holding = open_transaction(database_url, "SELECT * FROM held")
    with holding, pytest.raises(LockUnavailable) as refused:
        guard.insist(change)
    guard.close()

    assert 2 <= refused.value.attempts <= 10
    assert len(refused.value.blockers) == 1


@pytest.fixture
def eager_autovacuum(postgres):
    """Look for tables to vacuum every second."""
    with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
        connection.execute("ALTER SYSTEM SET autovacuum_naptime = '1s'")
        connection.execute("SELECT pg_reload_conf()")
        yield
        connection.execute("ALTER SYSTEM RESET autovacuum_naptime")
        connection.execute("SELECT pg_reload_conf()")


@pytest.mark.parametrize("body", [HELPER, PLAIN], ids=["helper", "plain"])
def test_an_autovacuum_gives_way(history, things, apply, rows, eager_autovacuum, eventually, body):
    """It does so for those who wait a second, which nobody would within 50 ms: the wait is for a lock that
    is in no reader's way.
    """
    things(20_000)
    slow = "autovacuum_vacuum_cost_delay = 100, autovacuum_vacuum_cost_limit = 1"
    rows(
        f"ALTER TABLE things SET (autovacuum_vacuum_threshold = 10, autovacuum_vacuum_scale_factor = 0, {slow})"
    )
    rows("UPDATE things SET price = 1")
    eventually(
        lambda: rows("SELECT 1 FROM pg_stat_progress_vacuum WHERE relid = 'things'::regclass")
    )
    history.expand(body)

    assert apply(patience_seconds=20).applied == ["0002"]
