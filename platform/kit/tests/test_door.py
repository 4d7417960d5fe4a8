"""The door: new connections are kept out, those inside stay."""

import socket
import sys

import pytest

from platform_kit import door

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(sys.platform != "linux", reason="only Linux filters a listener's packets"),
]


@pytest.fixture
def listener():
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(2)
        yield listener


def connected(listener):
    return socket.create_connection(listener.getsockname(), timeout=2)


def exchange(client, server):
    """A word there and one back."""
    client.sendall(b"ping")
    assert server.recv(10) == b"ping"
    server.sendall(b"pong")
    return client.recv(10)


def test_nobody_new_gets_in(listener):
    """The packet that asks is dropped: the client has sent nothing that could be lost."""
    assert door.shut(listener)
    with pytest.raises(TimeoutError):
        socket.create_connection(listener.getsockname(), timeout=0.2)


def test_who_is_in_the_backlog_is_served_before_the_listener_closes(listener):
    """Connected before, accepted after, and not reset by the close."""
    with connected(listener) as client:
        door.shut(listener)
        server, _ = listener.accept()
        listener.close()

        assert exchange(client, server) == b"pong"
        server.close()


def test_who_was_accepted_goes_on(listener):
    """The filter is the listener's alone."""
    with connected(listener) as client:
        server, _ = listener.accept()
        door.shut(listener)

        assert exchange(client, server) == b"pong"
        server.close()


def test_the_backlog_is_reset_by_a_plain_close(listener):
    """The negative control: this is what the door is for."""
    with connected(listener) as client:
        listener.close()
        with pytest.raises(ConnectionResetError):
            client.recv(1)


def test_a_closed_door_does_not_fall_off(listener):
    """Where the system refuses, the caller is told and goes on without."""
    listener.close()

    assert door.shut(listener) is False


def test_other_systems_say_that_they_cannot(listener, monkeypatch):
    """There the quiet time before is what is left."""
    monkeypatch.setattr(sys, "platform", "darwin")

    assert door.shut(listener) is False
