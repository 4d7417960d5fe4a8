"""Calls on the wire: real servers on loopback that misbehave in every way there is."""

import contextlib
import socket
import threading
import time

import pytest

from platform_kit import ServiceClient, ServiceUnreachable
from platform_kit.deadline import HEADER, within
from platform_kit.dependency import Outcome
from platform_kit.retries import TRIES
from platform_kit.wire import MAX_ANSWER_BYTES

pytestmark = pytest.mark.integration

TIMEOUT_SECONDS = 0.4
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"
BROKEN = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n"


class Server:
    """Hands every request, as raw bytes, to the next of the behaviours; the last one stays."""

    def __init__(self, *behaviours):
        self.behaviours = list(behaviours)
        self.seen = []
        self.stopped = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self):
        while True:
            connection, _ = self._listener.accept()
            if self.stopped.is_set():
                connection.close()
                return
            self._threads.append(threading.Thread(target=self._serve, args=(connection,)))
            self._threads[-1].start()

    def _serve(self, connection):
        with connection, contextlib.suppress(OSError):
            connection.settimeout(20)
            while request := connection.recv(65536):
                self.seen.append(request.decode())
                behave = self.behaviours.pop(0) if len(self.behaviours) > 1 else self.behaviours[0]
                if isinstance(behave, bytes):
                    connection.sendall(behave)
                else:
                    behave(self, connection)
                    return

    def header(self, name, number=-1):
        """Return a header of a request that came."""
        lines = self.seen[number].split("\r\n")
        found = [line for line in lines if line.lower().startswith(f"{name.lower()}:")]
        return found[0].partition(":")[2].strip() if found else None

    def stop(self):
        self.stopped.set()
        socket.create_connection(self._listener.getsockname()).close()
        for thread in self._threads:
            thread.join(20)
        self._listener.close()


def hang(server, _connection):
    server.stopped.wait(20)


def hang_up(_server, _connection):
    """The connection is closed without a word."""


def drip(server, connection):
    """A byte every 50 ms: each read is in time, the answer never."""
    connection.sendall(b"HTTP/1.1 200 OK\r\n")
    while not server.stopped.wait(0.05):
        connection.sendall(b"x")


def drip_body(server, connection):
    connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
    while not server.stopped.wait(0.05):
        connection.sendall(b"x")


def pour(server, connection):
    """A body without an end."""
    connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
    while not server.stopped.is_set():
        connection.sendall(b"10000\r\n" + b"x" * 0x10000 + b"\r\n")


GARBAGE = [
    b"\x16\x03\x01 this is TLS or nothing\r\n\r\n",
    b"SSH-2.0-OpenSSH_9.6\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n",
    b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 50_000 + b"\r\n",
]


@pytest.fixture
def serve():
    servers = []

    def serve(*behaviours):
        servers.append(Server(*behaviours))
        return servers[-1]

    yield serve
    for server in servers:
        server.stop()


@pytest.fixture
def reach():
    """Make a client for a server; it is closed after the test."""
    clients = []

    def reach(server, *, timeout_seconds=TIMEOUT_SECONDS):
        clients.append(ServiceClient(server.url, "product", timeout_seconds=timeout_seconds))
        return clients[-1]

    yield reach
    for client in clients:
        client.close()


def outcomes(client):
    return {name: count for name, count in client.dependency.outcomes().items() if count}


@pytest.mark.parametrize("behaviour", [hang, drip, drip_body])
def test_silence_and_drops_end_with_the_time_out(serve, reach, behaviour):
    """For the whole of it: who sends a byte now and then is late all the same. And it is not asked again."""
    client = reach(serve(behaviour))
    begun = time.monotonic()

    with pytest.raises(ServiceUnreachable, match=r"timed out|deadline has passed"):
        client.request("GET", "products")
    assert TIMEOUT_SECONDS - 0.05 <= time.monotonic() - begun < TIMEOUT_SECONDS + 5
    assert outcomes(client) == {Outcome.TIMED_OUT: 1}


def test_an_answer_without_an_end_is_cut_off(serve, reach):
    """Before it fills the memory."""
    client = reach(serve(pour), timeout_seconds=20)

    with pytest.raises(ServiceUnreachable, match=f"above {MAX_ANSWER_BYTES} bytes"):
        client.request("PUT", "products/1")
    assert outcomes(client) == {Outcome.FAILED: 1}


@pytest.mark.parametrize("garbage", GARBAGE)
def test_garbage_is_no_answer(serve, reach, garbage):
    """What is no HTTP, or lies about itself."""
    client = reach(serve(lambda _, connection: connection.sendall(garbage)), timeout_seconds=10)

    with pytest.raises(ServiceUnreachable):
        client.request("PUT", "products/1")
    assert outcomes(client) == {Outcome.FAILED: 1}


@pytest.mark.parametrize("failure", [BROKEN, hang_up])
def test_a_read_that_fails_is_tried_again(serve, reach, failure):
    """A 5xx, or a connection that broke."""
    server = serve(failure, failure, OK)
    client = reach(server, timeout_seconds=10)

    assert client.request("GET", "products").status_code == 200
    assert len(server.seen) == TRIES
    assert client.dependency.budget.spent == TRIES - 1


def test_after_the_last_try_the_answer_is_what_it_is(serve, reach):
    """The caller sees the 500."""
    server = serve(BROKEN)

    assert reach(server, timeout_seconds=10).request("GET", "products").status_code == 500
    assert len(server.seen) == TRIES


@pytest.mark.parametrize(
    ("options", "tries"),
    [
        ({}, 1),
        ({"idempotent": True}, TRIES),
        ({"headers": {"Idempotency-Key": "k"}}, TRIES),
    ],
)
def test_a_write_is_tried_again_only_where_it_is_safe(serve, reach, options, tries):
    """The server may have done it before it failed."""
    server = serve(BROKEN)
    reach(server, timeout_seconds=10).request("POST", "orders", **options)

    assert len(server.seen) == tries


def test_who_says_when_to_come_back_is_not_asked_before(serve, reach):
    """No thread waits for a second; the caller is told instead."""
    server = serve(b"HTTP/1.1 503 Later\r\nRetry-After: 1\r\nContent-Length: 0\r\n\r\n")

    assert reach(server).request("GET", "products").headers["Retry-After"] == "1"
    assert len(server.seen) == 1


def test_retries_end_with_the_budget(serve, reach):
    """A dependency that fails altogether gets a tenth more, beyond the reserve."""
    client = reach(serve(BROKEN), timeout_seconds=10)
    while client.dependency.budget.take():
        pass
    spent = client.dependency.budget.spent

    assert client.request("GET", "products").status_code == 500
    assert (client.dependency.budget.spent, outcomes(client)) == (spent, {Outcome.FAILED: 1})


def test_the_deadline_of_the_request_shortens_the_time_out(serve, reach):
    """And that says nothing about the dependency: its circuit does not count it."""
    client = reach(serve(hang), timeout_seconds=20)
    begun = time.monotonic()
    with within(0.2), pytest.raises(ServiceUnreachable):
        client.request("GET", "products")

    assert time.monotonic() - begun < 10
    assert outcomes(client) == {Outcome.CUT_SHORT: 1}


def test_without_time_nothing_is_sent(serve, reach):
    """The caller has gone."""
    server = serve(OK)
    client = reach(server)
    with within(-1), pytest.raises(ServiceUnreachable, match="no time left"):
        client.request("GET", "products")

    assert (server.seen, outcomes(client)) == ([], {Outcome.CUT_SHORT: 1})


def test_the_time_that_is_left_goes_along(serve, reach):
    """The call's own bound, or less."""
    server = serve(OK)
    client = reach(server, timeout_seconds=5)
    client.request("GET", "products")
    with within(1):
        client.request("GET", "products")

    assert 4000 < int(server.header(HEADER, 0)) <= 5000
    assert 0 < int(server.header(HEADER, 1)) <= 1000


def test_one_connection_serves_call_after_call(serve, reach):
    """The bounds cost no new connection."""
    server = serve(OK)
    client = reach(server)
    for _ in range(5):
        client.request("GET", "products")

    assert len(server._threads) == 2  # the one that accepts, and one for a connection


def test_a_cookie_stays_where_it_came(serve, reach):
    """One customer's must not go out with another's call."""
    server = serve(b"HTTP/1.1 200 OK\r\nSet-Cookie: who=ada\r\nContent-Length: 2\r\n\r\n{}")
    client = reach(server)
    client.request("GET", "products")
    client.request("GET", "products")

    assert server.header("Cookie") is None
