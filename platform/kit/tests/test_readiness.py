"""Readiness: the probe reads what was found last, and how old it is. It never waits."""

import socket
import threading
import time

import pytest

from platform_kit import Database, start_background
from platform_kit.admin import answer
from platform_kit.instance import Instance
from platform_kit.liveness import Activity
from platform_kit.readiness import STALE_SECONDS, Check, Readiness, Result


def fail():
    raise ConnectionError("refused\nwith a second line")


def test_a_check_that_was_not_asked_is_not_ok():
    """Ready is what is known, not what is hoped."""
    assert Check("database", lambda: "fine").result() == Result(ok=False, detail="not asked yet")


def test_a_check_keeps_what_it_was_told():
    """The detail comes from the one who asks."""
    check = Check("database", lambda: "fine")
    check.run()

    assert check.result() == Result(ok=True, detail="fine")


def test_a_check_that_raises_is_not_ok():
    """Its first line is the detail."""
    check = Check("database", fail)
    check.run()

    assert check.result() == Result(ok=False, detail="refused")


def test_a_check_that_fails_without_a_word_names_its_exception():
    """An empty detail would help nobody."""

    def silent():
        raise TimeoutError

    check = Check("database", silent)
    check.run()

    assert check.result() == Result(ok=False, detail="TimeoutError")


def test_an_old_result_does_not_count(clock):
    """The thread that asked is gone or stuck: what it said is no longer known."""
    check = Check("database", lambda: "fine", clock=clock)
    check.run()
    clock.now += STALE_SECONDS
    assert check.result().ok
    clock.now += 0.5

    assert check.result() == Result(ok=False, detail="last asked 4.5 s ago")


def test_a_check_that_hangs_is_not_ok_after_its_time_out(eventually, clock):
    """While the question is still open; when the answer comes it counts again."""
    go_on = threading.Event()
    asked = threading.Event()

    def hang():
        asked.set()
        go_on.wait()
        return "fine"

    check = Check("database", hang, clock=clock)
    thread = threading.Thread(target=check.run)
    thread.start()
    asked.wait()
    clock.now += 1.5
    overdue = check.result()
    go_on.set()
    thread.join()

    assert overdue == Result(ok=False, detail="no answer for 1.5 s")
    assert check.result() == Result(ok=True, detail="fine")


def test_readiness_needs_everything():
    """Started, every check, and not draining."""
    activity, check = Activity(), Check("database", lambda: "fine")
    readiness = Readiness(activity, [check])
    assert not readiness.results()["started"].ok
    readiness.started = True
    check.run()
    assert all(result.ok for result in readiness.results().values())
    activity.drain()

    assert readiness.results()["draining"] == Result(ok=False, detail="draining")
    assert list(readiness.results()) == ["started", "database", "draining"]


@pytest.mark.integration
def test_a_database_that_never_answers_cannot_hang_the_probe(make_app, eventually):
    """The listener takes the connection and says nothing. Every probe comes back at once, and says not ready."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        app = make_app(database=Database(f"postgresql://u@127.0.0.1:{port}/x?sslmode=disable"))
        with start_background(app):
            status, body, slowest = _probe(app, eventually)

    assert status == 503
    assert b"no answer for" in body
    assert slowest < 0.5


def _probe(app, eventually):
    """Probe until the check is overdue; return that answer and the longest time any took."""
    times = []

    def overdue():
        begun = time.monotonic()
        status, _, body = answer(Instance.of(app), "/ready")
        times.append(time.monotonic() - begun)
        return b"no answer for" in body and (status, body)

    status, body = eventually(overdue)
    return status, body, max(times)


@pytest.mark.integration
def test_an_unreachable_database_is_not_ready_but_alive(make_app, eventually):
    """A dependency never kills the process: a restart would not bring the database back."""
    app = make_app(database=Database("postgresql://u@127.0.0.1:1/x"), schema_oldest="0001")
    with start_background(app):
        ready = eventually(lambda: _found(app, b"refused"))

    assert ready[0] == 503
    assert answer(Instance.of(app), "/health")[0] == 200


@pytest.mark.integration
def test_the_schema_has_to_be_there(make_app, database_url, eventually):
    """Not ready before the revision is applied, ready after."""
    from platform_kit.schema import metadata, schema_history

    database = Database(database_url)
    app = make_app(database=database, schema_oldest="0002")
    with start_background(app):
        before = eventually(lambda: _found(app, b"revision 0002 is not applied"))
        with database.begin() as connection:
            metadata.create_all(connection)
            connection.execute(schema_history.insert().values(revision="0002", phase="expand"))
        after = eventually(lambda: _found(app, b"revision 0002 is applied"))
    database.dispose()

    assert (before[0], after[0]) == (503, 200)


def _found(app, text):
    status, _, body = answer(Instance.of(app), "/ready")
    return text in body and (status, body)
