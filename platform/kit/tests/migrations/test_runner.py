"""Migrations: a real history on a real database, by the program that the deployer runs."""

import json
import threading
from pathlib import Path

import pytest
from histories import ENVIRONMENT
from sqlalchemy import inspect, text

from platform_kit.errors import MigrationError, MigrationsMissing, PhaseUnknown
from platform_kit.migrations import migrations_directory, upgrade
from platform_kit.migrations.lock import LOCK
from platform_kit.schema import schema_history

pytestmark = pytest.mark.integration


def create(table):
    return f'op.create_table("{table}", sa.Column("id", sa.Integer, primary_key=True))'


def recorded(database):
    with database.connect() as connection:
        rows = connection.execute(schema_history.select().order_by(schema_history.c.applied_at))
        return [(row.revision, row.phase) for row in rows]


def tables(database):
    with database.connect() as connection:
        return set(inspect(connection).get_table_names())


def test_the_program_prints_what_it_did(history, database_url, database):
    """One JSON object to stdout, nothing to stderr."""
    code, out, err = history.run(database_url)

    assert (code, err) == (0, "")
    assert json.loads(out) == {
        "service": "shop",
        "phase": "expand",
        "before": [],
        "after": ["0001"],
        "applied": ["0001"],
        "oldest_release": None,
        "purged": [],
    }
    assert recorded(database) == [("0001", "expand")]
    assert "things" in tables(database)


def test_the_program_takes_the_url_from_a_file(history, database_url, database, tmp_path):
    """As a Job does that has the secret mounted."""
    file = tmp_path / "url"
    file.write_text(f"{database_url}\n")
    code, _, err = history.run("", file=file)

    assert (code, err) == (0, "")
    assert recorded(database) == [("0001", "expand")]


def test_the_program_says_that_the_file_is_missing(history, tmp_path):
    """In the JSON that whoever started it reads."""
    code, _, err = history.run("", file=tmp_path / "none")

    assert code == 1
    assert "No such file or directory" in json.loads(err)["error"]


def test_a_second_run_does_nothing(history, database_url, database):
    """It says so, and is no failure."""
    upgrade("shop", phase="expand", database_url=database_url)
    again = upgrade("shop", phase="expand", database_url=database_url)

    assert (again.before, again.after, again.applied) == (["0001"], ["0001"], [])
    assert recorded(database) == [("0001", "expand")]


def test_later_revisions_are_applied_in_their_order(history, database_url, database):
    """Only the new ones, each in a transaction of its own."""
    upgrade("shop", phase="expand", database_url=database_url)
    history.add("0002", create("more"), after="0001")
    history.add("0003", create("most"), after="0002")
    done = upgrade("shop", phase="expand", database_url=database_url)

    assert (done.before, done.after, done.applied) == (["0001"], ["0003"], ["0002", "0003"])
    assert recorded(database)[1:] == [("0002", "expand"), ("0003", "expand")]


def test_the_phases_are_run_apart(history, database_url, database):
    """Contract waits for expand, expand never for contract."""
    history.add("c001", 'op.drop_table("things")', label="contract", depends="0001")
    expanded = upgrade("shop", phase="expand", database_url=database_url)
    assert "things" in tables(database)
    contracted = upgrade("shop", phase="contract", database_url=database_url)

    assert (expanded.applied, contracted.applied) == (["0001"], ["c001"])
    assert recorded(database) == [("0001", "expand"), ("c001", "contract")]
    assert "things" not in tables(database)


def test_a_revision_that_fails_leaves_those_before_it(history, database_url, database):
    """Its own changes are rolled back, its line is not written, and the error is one line of JSON."""
    history.add("0002", create("more") + '; op.execute("SELECT 1/0")', after="0001")
    code, out, err = history.run(database_url)
    problem = json.loads(err)

    assert (code, out, len(err.splitlines())) == (1, "", 1)
    assert (problem["service"], problem["phase"]) == ("shop", "expand")
    assert "division by zero" in problem["error"]
    assert recorded(database) == [("0001", "expand")]
    assert "more" not in tables(database)


@pytest.mark.parametrize(
    ("url", "phase", "words"),
    [
        ("", "expand", "SHOP_DATABASE_URL is not set"),
        ("postgresql://u@127.0.0.1:1/x", "expand", "refused"),
        ("postgresql://u@127.0.0.1:1/x", "contract", "no branch labelled 'contract'"),
    ],
)
def test_a_run_that_cannot_begin_says_why(history, url, phase, words):
    """Without a traceback."""
    code, out, err = history.run(url, "--phase", phase)

    assert (code, out) == (1, "")
    assert words in json.loads(err)["error"]


def test_runs_at_the_same_time_apply_each_revision_once(history, database_url, database):
    """Nobody fails, nobody applies twice: those who come later find nothing to do."""
    history.add("0002", create("more"), after="0001")
    done, threads = [], []
    for _ in range(3):  # processes, as Alembic's context is global in one
        threads.append(threading.Thread(target=lambda: done.append(history.run(database_url))))
        threads[-1].start()
    for thread in threads:
        thread.join()

    assert [code for code, _, _ in done] == [0, 0, 0]
    assert sorted(len(json.loads(out)["applied"]) for _, out, _ in done) == [0, 0, 2]


def test_a_waiter_waits_for_the_lock_and_holds_no_snapshot(
    history, database_url, database, eventually
):
    """Asking again and again, it is not what CREATE INDEX CONCURRENTLY has to wait for."""
    program = {"phase": "expand", "database_url": database_url}
    waiter = threading.Thread(target=upgrade, args=["shop"], kwargs=program)
    idle = (
        "SELECT count(*) FROM pg_stat_activity WHERE query LIKE '%try_advisory%' AND state = 'idle'"
    )
    with database.connect() as holder:
        holder.execution_options(isolation_level="AUTOCOMMIT")
        holder.execute(text(f"SELECT pg_advisory_lock({LOCK})"))
        waiter.start()
        eventually(lambda: holder.scalar(text(idle)) == 1)
        holder.execute(text("CREATE TABLE busy (id int)"))
        holder.execute(text("CREATE INDEX CONCURRENTLY busy_id ON busy (id)"))
        still_waiting = waiter.is_alive()
        holder.execute(text(f"SELECT pg_advisory_unlock({LOCK})"))
    waiter.join()

    assert still_waiting
    assert recorded(database) == [("0001", "expand")]


def test_a_concurrent_index_can_be_made_by_a_revision(history, database_url, database):
    """Outside of the transaction, as Alembic offers it."""
    body = 'with op.get_context().autocommit_block(): op.create_index("i", "things", ["id"], postgresql_concurrently=True)'
    history.add("0002", body, after="0001")
    done = upgrade("shop", phase="expand", database_url=database_url)

    assert done.applied == ["0001", "0002"]
    assert recorded(database) == [("0001", "expand"), ("0002", "expand")]


def test_alembics_own_program_is_refused(history):
    """It would take no lock and write nothing down."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(history.folder))
    with pytest.raises(MigrationError, match=r"hint: python -m platform_kit\.migrations"):
        command.upgrade(config, "head")


def test_a_revision_on_neither_branch_is_refused(history, database_url, database):
    """Nobody could say when it may run."""
    history.add("x001", create("stray"), label="other")
    history.add("0002", create("more"), after="0001", depends="x001")
    with pytest.raises(MigrationError, match="x001 is on neither branch"):
        upgrade("shop", phase="expand", database_url=database_url)

    assert "stray" not in tables(database)


def test_an_unknown_phase_is_refused(history):
    """Before anything is connected."""
    with pytest.raises(PhaseUnknown, match="'contract'") as refused:
        upgrade("shop", phase="contract", database_url="postgresql://nowhere")

    assert (refused.value.service, refused.value.phase) == ("shop", "contract")


def test_revisions_are_found_in_the_checkout(history):
    """Above the package's own folder."""
    assert migrations_directory("shop") == history.folder


def test_the_wheels_revisions_come_first(history):
    """An installed release never looks around it."""
    inside = history.source / "shop" / "migrations"
    inside.mkdir()
    (inside / "env.py").write_text(ENVIRONMENT)

    assert migrations_directory("shop") == inside


@pytest.mark.parametrize("service", ["nobody", "not-a-name"])
def test_missing_revisions_are_named(service):
    """With the places that were searched."""
    with pytest.raises(MigrationsMissing, match=service):
        migrations_directory(service)


def test_a_package_without_revisions_says_where_it_looked():
    """The kit itself has none."""
    with pytest.raises(MigrationsMissing) as refused:
        migrations_directory("platform_kit")

    assert str(Path("platform_kit") / "migrations") in str(refused.value)
