"""A line to what an instance depends on, that can be made to misbehave: TCP on loopback, in front of the real thing."""

from __future__ import annotations

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Callable
from enum import StrEnum

# A second for each request that goes over the line: half of what order waits for product.
SLOW_SECONDS = 1.0
GARBAGE = b"\x00\xff{]<garbage\r\n" * 100


class Fault(StrEnum):
    """How a dependency can be: well, or not."""

    NONE = "none"
    DOWN = "down"  # connections are reset
    SLOW = "slow"
    HUNG = "hung"  # connections are taken and nothing is ever said
    GARBAGE = "garbage"


class Line:
    """Forwards connections to an address; `name` tells from the first bytes whose fault they get."""

    def __init__(self, address: str | tuple[str, int], *, name: Callable[[bytes], str]) -> None:
        self.faults: dict[str, Fault] = {}
        self._address = address
        self._name = name
        self._changed = threading.Condition()
        self._is_open = True
        self._threads: list[threading.Thread] = []
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port: int = self._listener.getsockname()[1]
        self._start(self._accept)

    def misbehave(self, name: str, fault: Fault) -> None:
        """From now on, until told otherwise, everything of that name has this fault."""
        with self._changed:
            self.faults[name] = fault
            self._changed.notify_all()

    def close(self) -> None:
        """End all connections and threads."""
        with self._changed:
            self._is_open = False
            self.faults.clear()
            self._changed.notify_all()
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port)):
            pass
        for thread in self._threads:
            thread.join(20)
        self._listener.close()

    def _start(self, function: Callable[..., None], *arguments: object) -> None:
        thread = threading.Thread(target=function, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while self._is_open:
            client, _ = self._listener.accept()
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        with client, contextlib.suppress(OSError), self._connect() as server:
            client.settimeout(30)
            self._start(_pump, server, client)
            try:
                self._forward(client, server)
            finally:
                server.shutdown(socket.SHUT_RDWR)  # a close alone does not wake who reads from it

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        name = ""
        while self._is_open and (said := client.recv(65536)):
            name = name or self._name(said)
            if not self._let_through(name, client):
                return
            server.sendall(said)

    def _let_through(self, name: str, client: socket.socket) -> bool:
        fault = self.faults.get(name, Fault.NONE)
        match fault:
            case Fault.DOWN:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            case Fault.GARBAGE:
                client.sendall(GARBAGE)
            case Fault.HUNG:
                self._while_it_lasts(name, fault, None)
            case Fault.SLOW:
                self._while_it_lasts(name, fault, SLOW_SECONDS)
                return True
            case Fault.NONE:
                return True
        return False

    def _while_it_lasts(self, name: str, fault: Fault, seconds: float | None) -> None:
        with self._changed:
            self._changed.wait_for(lambda: self.faults.get(name) is not fault, seconds)

    def _connect(self) -> socket.socket:
        if isinstance(self._address, tuple):
            return socket.create_connection(self._address)
        server = socket.socket(socket.AF_UNIX)
        server.connect(os.fspath(self._address))
        return server


def _pump(server: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while said := server.recv(65536):
            client.sendall(said)
    with contextlib.suppress(OSError):
        client.shutdown(socket.SHUT_RDWR)
