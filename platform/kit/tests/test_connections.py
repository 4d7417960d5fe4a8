"""Connections to a database that is slow, hung, or talks nonsense: an end to every wait, and words for it."""

import socket
import threading
import time
from contextlib import suppress

import psycopg
import pytest
from flask import Blueprint
from sqlalchemy import text
from sqlalchemy.exc import OperationalError

from platform_kit import Database, DatabaseUnreachable
from platform_kit.breaker import FAILURES_IN_A_ROW
from platform_kit.connections import ROUND_TRIP_SECONDS, BoundedConnection
from platform_kit.database import engine
from platform_kit.deadline import within
from platform_kit.dependency import Outcome

pytestmark = pytest.mark.integration


@pytest.fixture
def database(database_url):
    database = Database(database_url)
    yield database
    database.dispose()


def run(database, statement):
    with database.begin() as connection:
        return connection.scalar(text(statement))


def outcomes(database):
    return {name: count for name, count in database.dependency.outcomes().items() if count}


def test_a_statement_in_time_is_answered(database):
    """Also one that takes longer than a look at the clock."""
    assert run(database, "SELECT 7 FROM pg_sleep(0.2)") == 7


def test_a_statement_that_takes_too_long_is_given_up(database):
    """Within its round trip's bound, as the kit's own error; the next one has a connection that works."""
    begun = time.monotonic()
    with pytest.raises(DatabaseUnreachable, match=r"no answer for 3\.0 s"):
        run(database, "SELECT pg_sleep(30)")

    assert ROUND_TRIP_SECONDS <= time.monotonic() - begun < ROUND_TRIP_SECONDS + 5
    assert run(database, "SELECT 7") == 7
    assert outcomes(database) == {Outcome.TIMED_OUT: 1, Outcome.ANSWERED: 1}


def test_the_requests_deadline_shortens_it(database):
    """And then it says nothing about the database."""
    run(database, "SELECT 1")
    with within(0.3), pytest.raises(DatabaseUnreachable, match="no answer"):
        run(database, "SELECT pg_sleep(30)")

    assert outcomes(database) == {Outcome.ANSWERED: 1, Outcome.CUT_SHORT: 1}


def test_who_is_late_can_still_undo_something(database):
    """A statement has a tenth of a second whatever the deadline: a connection costs more."""
    run(database, "SELECT 1")
    with within(-1):
        assert run(database, "SELECT 7") == 7


def test_a_migration_may_take_as_long_as_it_wants(database_url):
    """Its engine is not a service's."""
    unbounded = engine(database_url)
    with unbounded.connect() as connection:
        opened = connection.connection.driver_connection
    unbounded.dispose()

    assert isinstance(opened, psycopg.Connection)
    assert not isinstance(opened, BoundedConnection)


@pytest.mark.parametrize(
    "statement",
    ["SELECT 1/0", "SELECT nothing", "SET LOCAL statement_timeout = 1; SELECT pg_sleep(1)"],
)
def test_what_the_server_refuses_is_an_answer(database, statement):
    """The circuit counts it as one, and the error is SQLAlchemy's, as ever."""
    for _ in range(FAILURES_IN_A_ROW):
        with suppress(Exception), database.begin() as connection:
            connection.exec_driver_sql(statement)

    assert outcomes(database) == {Outcome.ANSWERED: FAILURES_IN_A_ROW}


def test_a_server_that_shuts_down_is_away(database):
    """It ends the session in the middle of the transaction."""
    with pytest.raises(DatabaseUnreachable), database.begin() as connection:
        connection.execute(text("SELECT pg_terminate_backend(pg_backend_pid())"))

    assert outcomes(database) == {Outcome.FAILED: 1}
    assert run(database, "SELECT 7") == 7


def test_an_exception_of_the_callers_is_passed_on(database):
    """The database has answered all that it was asked."""
    with pytest.raises(LookupError), database.begin():
        raise LookupError

    assert outcomes(database) == {Outcome.ANSWERED: 1}


def test_a_database_that_is_away_is_left_alone_after_a_while():
    """The circuit opens, and says so without a try."""
    away = Database("postgresql://u@127.0.0.1:1/x")
    for _ in range(FAILURES_IN_A_ROW):
        with pytest.raises(DatabaseUnreachable, match="refused"):
            run(away, "SELECT 1")

    with pytest.raises(DatabaseUnreachable, match="failed too often"):
        run(away, "SELECT 1")


def test_nobody_has_to_handle_a_database_that_is_away(make_app):
    """The client gets a 503 that says when to come back, and no word of the cause."""
    away = Database("postgresql://u@127.0.0.1:1/x")
    routes = Blueprint("things", __name__)
    routes.get("/things")(lambda: {"id": run(away, "SELECT 1")})
    answer = make_app(routes).test_client().get("/api/v1/things")
    body = answer.get_json(force=True)

    assert (answer.status_code, body["code"]) == (503, "database_unavailable")
    assert answer.mimetype == "application/problem+json"
    assert answer.headers["Retry-After"] == "1"
    assert "refused" not in body["detail"]


def test_a_file_without_a_url_counts_as_a_failure(tmp_path):
    """There is nothing to connect to."""
    database = Database(tmp_path / "url")
    with pytest.raises(DatabaseUnreachable, match="no URL"):
        run(database, "SELECT 1")

    assert outcomes(database) == {Outcome.FAILED: 1}


def test_garbage_instead_of_a_server_is_away():
    """It takes the connection and answers in another protocol."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def talk():
            connection, _ = listener.accept()
            with connection:
                connection.recv(4096)
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=talk)
        thread.start()
        port = listener.getsockname()[1]
        database = Database(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable")
        with pytest.raises(DatabaseUnreachable):
            run(database, "SELECT 1")
        thread.join()

    assert outcomes(database) == {Outcome.FAILED: 1}


def test_the_readiness_check_asks_also_when_nobody_else_may(database):
    """Its answer is what brings the instance back."""
    for _ in range(FAILURES_IN_A_ROW):
        with database.dependency.call() as call:
            call.outcome = Outcome.FAILED

    assert database.ping(1.0) is None
    with pytest.raises(DatabaseUnreachable):
        run(database, "SELECT 1")


def test_a_failed_connect_is_still_sqlalchemys_where_the_kit_does_not_ask(database):
    """`checking` translates nothing: a check says what it found."""
    with pytest.raises(OperationalError), Database("postgresql://u@127.0.0.1:1/x").checking():
        pass
