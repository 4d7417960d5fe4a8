"""The database: transactions, limits, and words for what is wrong."""

import socket
from contextlib import ExitStack

import pytest
from sqlalchemy import text
from sqlalchemy.exc import IntegrityError

from platform_kit import Database, DatabaseUnreachable

pytestmark = pytest.mark.integration


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    with database.begin() as connection:
        connection.execute(text("CREATE TABLE things (id int PRIMARY KEY)"))
    yield database
    database.dispose()


def count(database):
    with database.connect() as connection:
        return connection.scalar(text("SELECT count(*) FROM things"))


def insert(connection, thing):
    connection.execute(text("INSERT INTO things VALUES (:id)"), {"id": thing})


def insert_twice(database, thing):
    with database.begin() as connection:
        insert(connection, thing)
        insert(connection, thing)


def test_a_transaction_commits_at_its_end(database):
    """The caller does nothing."""
    with database.begin() as connection:
        insert(connection, 1)

    assert count(database) == 1


def test_a_transaction_is_rolled_back_on_an_exception(database):
    """All or nothing."""
    with pytest.raises(IntegrityError):
        insert_twice(database, 1)

    assert count(database) == 0


def test_a_connection_without_commit_changes_nothing(database):
    """`connect` is for reading, or for those who commit themselves."""
    with database.connect() as connection:
        insert(connection, 1)

    assert count(database) == 0


def test_a_connection_that_died_is_replaced(database):
    """The pool finds out before the request does."""
    count(database)
    with database.begin() as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        connection.execute(text(others))
    with database.connect() as one, database.connect() as two:
        assert [one.scalar(text("SELECT 1")), two.scalar(text("SELECT 1"))] == [1, 1]


def test_a_ping_is_a_round_trip(database):
    """It says nothing when all is well."""
    assert database.ping(1.0) is None


def test_a_ping_says_why_it_failed():
    """In one line, as the kit's own error."""
    with pytest.raises(DatabaseUnreachable, match="refused") as failed:
        Database("postgresql://u@127.0.0.1:1/x").ping(1.0)

    assert len(str(failed.value).splitlines()) == 1


def test_a_server_that_never_answers_is_given_up_after_two_seconds():
    """The connection is taken and nothing is said: libpq's own time-out ends it."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        with pytest.raises(DatabaseUnreachable, match="timeout"):
            Database(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable").ping(1.0)


def test_the_pool_has_room_for_checks_beside_all_threads(database):
    """As many transactions as are let in, and the readiness check still gets its connection."""
    with ExitStack() as busy:
        for _ in range(database.dependency.bulkhead.places):
            busy.enter_context(database.begin())

        assert database.ping(1.0) is None
