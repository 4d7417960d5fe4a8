"""The door: a request's deadline is read once, bounded, and kept."""

import socket
import threading

import pytest
from flask import Blueprint

from platform_kit import InstanceSettings, deadline
from platform_kit.deadline import HEADER


@pytest.fixture
def client(make_app):
    """A service that answers how long it may take, and counts what it did."""
    routes = Blueprint("left", __name__)
    routes.get("/left")(lambda: {"seconds": deadline.remaining_seconds(1000)})
    return make_app(routes).test_client()


def left(client, **headers):
    return client.get("/api/v1/left", headers=headers)


def test_a_caller_that_names_no_time_gets_the_instances_bound(client):
    """Ten seconds: nothing is done without an end."""
    assert 9 < left(client).json["seconds"] <= 10


def test_a_shorter_time_is_kept(client):
    """The caller knows best how long it waits."""
    assert 1 < left(client, **{HEADER: "1500"}).json["seconds"] <= 1.5


def test_a_longer_time_is_not(client):
    """Nobody may keep a thread for a day."""
    assert left(client, **{HEADER: "86400000"}).json["seconds"] <= 10


def test_the_bound_is_a_setting(make_app):
    """For a service that takes longer than others."""
    routes = Blueprint("left", __name__)
    routes.get("/left")(lambda: {"seconds": deadline.remaining_seconds(1000)})
    app = make_app(routes, settings=InstanceSettings(request_seconds=3))

    assert 2 < left(app.test_client()).json["seconds"] <= 3


@pytest.mark.parametrize("header", ["0", "soon", "-5", "1.5", ""])
def test_a_time_that_is_none_is_refused(client, header):
    """With the header's name and what it takes."""
    answer = left(client, **{HEADER: header})

    assert (answer.status_code, answer.get_json(force=True)["code"]) == (400, "timeout_invalid")
    assert HEADER in answer.get_json(force=True)["detail"]


def test_the_time_in_the_queue_counts(client):
    """It has passed for the caller too."""
    deadline.queued.set(0.7)
    answer = left(client, **{HEADER: "1000"})
    deadline.queued.set(0)

    assert answer.json["seconds"] <= 0.3


def test_what_comes_too_late_is_not_begun(client):
    """503 at once, to be tried again: nobody waits for it any more."""
    deadline.queued.set(1.1)
    answer = left(client, **{HEADER: "1000"})
    deadline.queued.set(0)

    assert answer.status_code == 503
    assert answer.get_json(force=True)["code"] == "deadline_passed"
    assert answer.headers["Retry-After"] == "1"


def test_a_deadline_ends_with_its_request(client):
    """The next one in this thread has its own."""
    left(client, **{HEADER: "1000"})
    left(client, **{HEADER: "0"})

    assert deadline.current_deadline() is None


@pytest.mark.integration
def test_a_request_that_waited_for_a_thread_is_refused(start, eventually):
    """In a real instance with one thread: the work of the first is longer than the second waits."""
    instance = start(PLATFORM_THREADS=1)
    first = threading.Thread(target=_request, args=(instance.port, "seconds=1", "5000"))
    first.start()
    eventually(lambda: instance.metric("http_requests_in_flight{") == 1)

    assert _request(instance.port, "seconds=0", "200").startswith("HTTP/1.1 503")
    first.join()


def _request(port, query, milliseconds):
    lines = (f"GET /api/v1/work?{query} HTTP/1.1", "Host: x", f"{HEADER}: {milliseconds}")
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        return connection.makefile().readline()
