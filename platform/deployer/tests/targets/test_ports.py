"""Ports on loopback: free ones, and who holds the others."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from deployer.targets.local import ports


@pytest.fixture
def listener() -> Iterator[int]:
    with socket.create_server((ports.LOOPBACK, 0)) as server:
        yield server.getsockname()[1]


def test_free_ports_differ_and_can_be_bound():
    """All at once, as instances will."""
    found = ports.free_ports(5)
    servers = [socket.create_server((ports.LOOPBACK, port)) for port in found]
    taken = [ports.is_taken(port) for port in found]
    for server in servers:
        server.close()

    assert len(set(found)) == 5
    assert taken == [True] * 5
    assert not any(ports.is_taken(port) for port in found)


def test_the_holder_of_a_port_is_named(listener: int):
    """By its name, its process id, and how it was called."""
    holder = ports.holder_of(listener)

    assert holder is not None
    assert holder.pid == os.getpid()
    assert ports.describe_holder(listener).startswith(f"{holder.name()} (process {os.getpid()}: ")


def test_a_client_of_a_port_is_not_its_holder(listener: int):
    """Only who listens is in the way."""
    with socket.create_connection((ports.LOOPBACK, listener)) as client:
        assert ports.holder_of(client.getsockname()[1]) is None


def test_a_holder_that_is_hidden_is_somebody_elses():
    """What can't be seen is another user's."""
    (port,) = ports.free_ports(1)

    assert ports.describe_holder(port) == "a process of another user"


def test_a_process_that_can_not_be_read_is_passed_over(
    listener: int, monkeypatch: pytest.MonkeyPatch
):
    """Other users' processes must not hide ours, nor end the search."""
    mine = psutil.Process()

    class Hidden(psutil.Process):
        def net_connections(self, **_: str):
            raise psutil.AccessDenied(self.pid)

    monkeypatch.setattr(psutil, "process_iter", lambda: iter((Hidden(), mine)))

    assert ports.holder_of(listener) is mine


def test_a_holder_that_ends_while_it_is_described_keeps_its_number(
    monkeypatch: pytest.MonkeyPatch,
):
    """Better a number than nothing."""

    class Gone(psutil.Process):
        def name(self) -> str:
            raise psutil.NoSuchProcess(self.pid)

    gone = Gone()
    monkeypatch.setattr(ports, "holder_of", lambda _port: gone)

    assert ports.describe_holder(1) == f"process {os.getpid()}"
