"""A run that is killed anywhere: the next one finishes it, and nothing is lost, doubled, or left behind."""

from __future__ import annotations

import os
import random
import secrets
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from writers import Writer

from platform_kit.migrations import upgrade

HERE = Path(__file__).parent

EXPAND = """
migrations.add_column("things", sa.Column("kind", sa.Text))
migrations.rename_column("things", "name", "title", writer_seconds={seconds})
migrations.backfill("things", {{"kind": "'old'"}}, where="kind IS NULL AND id <= {count}", writer_seconds={seconds})
migrations.add_check("things", "things_price", "price >= 0")
migrations.create_index("things_by_title", "things", ["title"])
migrations.add_unique("things", "things_title", ["title", "id"])
migrations.add_foreign_key("things", "things_owner", ["owner"], refers_to="owners")
op.create_table("notes", sa.Column("id", sa.BigInteger, primary_key=True))
"""
CONTRACT = """
migrations.end_dual_write(
    "things", ["name"], ["title"], keep_until=date(2999, 1, 1), writer_seconds={seconds}
)
migrations.set_not_null("things", "kind")
migrations.drop_index("things_by_title")
migrations.drop_table("old_things", keep_until=date(2999, 1, 1))
"""
BEFORE = """
op.create_table("owners", sa.Column("id", sa.BigInteger, primary_key=True))
op.create_table("old_things", sa.Column("id", sa.BigInteger, primary_key=True))
op.add_column("things", sa.Column("owner", sa.BigInteger))
"""
INVALID = "SELECT indexrelid::regclass::text FROM pg_index WHERE NOT indisvalid"
UNVALIDATED = "SELECT conname FROM pg_constraint WHERE NOT convalidated"
LEFT_BEHIND = r"SELECT conname FROM pg_constraint WHERE conname LIKE '%is\_set'"


@contextmanager
def killer(history, phase):
    """Return what runs the program on a database until its n-th statement or commit."""
    log = history.folder / "killing.log"
    talk = log.open("w")
    program = subprocess.Popen(
        [sys.executable, str(HERE / "killing.py"), "shop", "--phase", phase],
        env={**os.environ, "PYTHONPATH": str(history.source)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=talk,
        text=True,
    )

    def run(url, number):
        program.stdin.write(f"{url} {number}\n")
        program.stdin.flush()
        ended = program.stdout.readline().strip()
        assert ended in {"killed", "done"}, (number, log.read_text())
        return ended

    with program, talk:
        yield run
        program.stdin.close()


@pytest.fixture
def copies(postgres, database_url):
    """Copy the test's database, as it is, into one for each kill."""
    name = psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]

    @contextmanager
    def copy():
        made = f"{name}_{secrets.token_hex(3)}"
        with psycopg.connect(postgres.get_uri(), autocommit=True) as connection:
            connection.execute(f'CREATE DATABASE "{made}" TEMPLATE "{name}"')
            try:
                yield postgres.get_uri(database=made)
            finally:
                connection.execute(f'DROP DATABASE "{made}" WITH (FORCE)')

    return copy


def rows(url, question):
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(question).fetchall()


def prepare(history, things, apply, database, *, count, seconds, phase):
    """Write the history, and bring the database to where the phase that is killed begins."""
    things(count)
    history.add("0002", BEFORE, after="0001")
    apply()
    history.add("0003", EXPAND.format(seconds=seconds, count=count), after="0002")
    history.add("c001", CONTRACT.format(seconds=seconds), label="contract", depends="0003")
    if phase == "contract":
        apply()
    database.dispose()  # a template must have no connection


def verify(url, *, count, phase):
    """All rows once, with their values, and no object that a killed run began."""
    assert rows(url, INVALID) == rows(url, UNVALIDATED) == rows(url, LEFT_BEHIND) == []
    titles = "SELECT count(*), count(DISTINCT title), min(title), min(kind) FROM things"
    assert rows(url, titles) == [(count, count, "thing 1", "old")]
    if phase == "contract":
        kept = "SELECT count(*), count(DISTINCT name) FROM platform_kit.things_name_c001"
        assert rows(url, kept) == [(count, count)]
        assert rows(url, "SELECT count(*) FROM platform_kit.shadows") == [(2,)]
    else:
        assert rows(url, "SELECT count(*) FROM things WHERE title IS DISTINCT FROM name") == [(0,)]
    revisions = rows(url, "SELECT revision FROM schema_history ORDER BY applied_at")
    applied = ["0001", "0002", "0003"] + (["c001"] if phase == "contract" else [])
    assert [revision for (revision,) in revisions] == applied


def kill_everywhere(history, copies, *, count, phase, step=1):
    """Kill at every statement and commit in turn, or at every so many; return the last's number."""
    with killer(history, phase) as run:
        for number in range(1, 100_000, step):
            with copies() as url:
                ended = run(url, number)
                assert run(url, 0) == "done"
                verify(url, count=count, phase=phase)
            if ended == "done":
                return number - step
    raise AssertionError("it never ended")


@pytest.mark.integration
@pytest.mark.parametrize("phase", ["expand", "contract"])
def test_a_run_killed_at_any_statement_is_finished_by_the_next(
    history, things, apply, database, copies, phase
):
    """Between batches, inside a transaction, before a commit: some places of all, the campaign has every one."""
    prepare(history, things, apply, database, count=300, seconds=0.5, phase=phase)

    assert kill_everywhere(history, copies, count=300, phase=phase, step=29) > 30


@pytest.mark.campaign
@pytest.mark.parametrize("phase", ["expand", "contract"])
def test_kills_on_a_large_table(history, things, apply, database, copies, phase, full, record):
    """100,000 rows, in batches of up to 5,000."""
    count = 100_000 if full else 10_000
    prepare(history, things, apply, database, count=count, seconds=2.0, phase=phase)

    kills = kill_everywhere(history, copies, count=count, phase=phase)

    assert kills > 50
    record(f"migration-kills-{phase}", rows=count, kills=kills, rows_lost_or_doubled=0)


def run_program(history, url, *, until=None):
    """Run the program to its end, or end it after so many seconds; return whether it had ended."""
    command = [sys.executable, "-m", "platform_kit.migrations", "shop"]
    environment = {**os.environ, "PYTHONPATH": str(history.source), "SHOP_DATABASE_URL": url}
    with subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) as program:
        try:
            program.wait(until)
        except subprocess.TimeoutExpired:
            program.send_signal(signal.SIGKILL)
    return program.returncode == 0


def random_kills(history, url, *, moments, kills):
    """Run the program again and again and end it at random moments; return how often that hit."""
    for hit in range(kills):
        if run_program(history, url, until=next(moments)):
            return hit
    return kills


def moments_of(history, url, *, seed):
    """Return random moments of a run, without end: one run is timed, as machines differ."""
    began = time.monotonic()
    assert run_program(history, url)
    seconds = time.monotonic() - began
    rng = random.Random(seed)
    return iter(lambda: seconds * rng.uniform(0.3, 0.95), None)


@pytest.mark.parametrize(
    ("count", "kills"),
    [
        pytest.param(3_000, 4, marks=pytest.mark.integration),
        pytest.param(100_000, 20, marks=pytest.mark.campaign),
    ],
)
def test_random_kills_while_old_and_new_code_write(
    history, things, apply, database, copies, count, kills
):
    """What both have written is there, once, in both columns; the last run finishes what all had begun."""
    prepare(history, things, apply, database, count=count, seconds=0.004, phase="expand")
    with copies() as url:
        moments = moments_of(history, url, seed=count)
    missing = kills
    for _ in range(10 * kills):  # what ends before it is killed is followed by one on a fresh copy
        if missing:
            with copies() as url:
                missing -= killed_while_writing(
                    history, url, count=count, kills=missing, moments=moments
                )

    assert missing == 0


def killed_while_writing(history, url, *, count, kills, moments):
    """Kill runs while old code writes, let one finish, have new code write too, and look at every row."""
    with Writer(url, table="things", columns=("name",), make=lambda n: (f"o{n}",)) as old:
        hit = random_kills(history, url, moments=moments, kills=kills)
        upgrade("shop", phase="expand", database_url=url)
        with Writer(url, table="things", columns=("title",), make=lambda n: (f"n{n}",)) as new:
            random_kills(history, url, moments=moments, kills=1)
    written = {**old.wrote, **new.wrote}
    found = rows(url, "SELECT id, name, title FROM things")
    assert len(found) == count + len(written)
    assert [row for row in found if row[1] != row[2]] == []
    assert {key: name for key, name, _ in found if key in written} == {
        key: name for key, (name,) in written.items()
    }
    assert rows(url, INVALID) == rows(url, UNVALIDATED) == []
    return hit
