"""Instances of the probe service as real processes, and herds of keep-alive clients that count what they lose."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import psutil
import pytest
from flask import Blueprint, Flask

from platform_kit import InstanceSettings, create_app
from platform_kit.logs import configure_logs

SERVICES = Path(__file__).parent / "services"
# Generous: the machine may be busy with other tests. Nothing waits that long when all is well.
DEADLINE_SECONDS = 60.0


def wait_until(claim: Callable[[], Any], *, seconds: float = DEADLINE_SECONDS) -> Any:
    """Return what `claim` returns once that is true; fail when it never is."""
    deadline = time.monotonic() + seconds
    while not (value := claim()):
        assert time.monotonic() < deadline, "it did not happen in time"
        threading.Event().wait(0.01)
    return value


def free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])


@dataclass(frozen=True)
class Answer:
    """What came back."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes

    def json(self) -> Any:
        """Return the body."""
        return json.loads(self.body)


def ask(port: int, path: str, *, timeout: float = 5.0) -> Answer:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    with contextlib.closing(connection):
        connection.request("GET", path)
        answer = connection.getresponse()
        return Answer(answer.status, answer.headers, answer.read())


class Running:
    """An instance of a test service, running as `python -m platform_kit.serve` runs it."""

    def __init__(
        self, service: str, log: Path, *, port: int | None = None, **environment: object
    ) -> None:
        self.port, self.admin_port = port or free_port(), free_port()
        self.log = log
        ours = {
            "PYTHONPATH": str(SERVICES),
            "PLATFORM_PORT": self.port,
            "PLATFORM_ADMIN_PORT": self.admin_port,
            "PLATFORM_VERSION": "1.1.0",
            **environment,
        }
        inherited = {k: v for k, v in os.environ.items() if not k.startswith("PLATFORM_")}
        with log.open("wb") as stderr:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "platform_kit.serve", service],
                env={**inherited, **{name: str(value) for name, value in ours.items()}},
                stderr=stderr,
                start_new_session=True,
            )

    def probe(self, path: str) -> Answer | None:
        """Ask the admin port; None when nobody listens."""
        try:
            return ask(self.admin_port, path)
        except (ConnectionRefusedError, ConnectionResetError):
            return None

    def is_ready(self) -> bool:
        """Say so; fail when the instance has ended."""
        assert self.process.poll() is None, self.log.read_text()
        answer = self.probe("/ready")
        return answer is not None and answer.status == 200

    def worker(self) -> psutil.Process:
        """Return the one child of the master."""
        (worker,) = psutil.Process(self.process.pid).children()
        return worker

    def metric(self, name: str) -> float:
        """Return the first sample whose line begins with `name`."""
        answer = ask(self.admin_port, "/metrics")
        return next(
            float(line.rpartition(" ")[2])
            for line in answer.body.decode().splitlines()
            if line.startswith(name)
        )

    def events(self) -> list[dict[str, Any]]:
        """Return all that was logged."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    def event(self, name: str) -> dict[str, Any]:
        """Return the first event of that name, once it is logged."""
        found: list[dict[str, Any]] = wait_until(
            lambda: [event for event in self.events() if event["event"] == name]
        )
        return found[0]

    def stop(self, sig: signal.Signals = signal.SIGTERM) -> int:
        """Send the signal and return the exit code."""
        self.process.send_signal(sig)
        return self.process.wait(DEADLINE_SECONDS)

    def kill(self) -> None:
        """End whatever is left of the instance: its session is its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Running]]:
    """Start an instance; it is ready when the call returns, and gone after the test."""
    running: list[Running] = []

    def start(
        service: str = "probe",
        *,
        wait: bool = True,
        port: int | None = None,
        **environment: object,
    ) -> Running:
        instance = Running(service, tmp_path / f"{len(running)}.log", port=port, **environment)
        running.append(instance)
        if wait:
            wait_until(instance.is_ready)
        return instance

    yield start
    for instance in running:
        instance.kill()


@dataclass
class Herd:
    """Clients that send one request after the other on kept-alive connections.

    One that is told `Connection: close` obeys and goes to the next port, which may be the same (if it `returns`); with
    none left it stops. An answer that was due and did not come is lost: nothing is sent twice.
    """

    ports: list[int]
    clients: int
    path: str = "/api/v1/work?seconds=0.01"
    returns: bool = True
    served: dict[int, int] = field(default_factory=dict)
    lost: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._client) for _ in range(self.clients)]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(DEADLINE_SECONDS)

    def total(self) -> int:
        """Return how many answers have come."""
        return sum(self.served.values())

    def has_left(self) -> bool:
        """Say whether all clients have stopped."""
        return not any(thread.is_alive() for thread in self._threads)

    def _client(self) -> None:
        ports = list(self.ports)
        while ports and not self._stop.is_set():
            connection = http.client.HTTPConnection("127.0.0.1", ports[0], timeout=10)
            try:
                connection.connect()
            except OSError:  # turned away before anything was sent
                ports.pop(0)
                continue
            with contextlib.closing(connection):
                self._converse(connection, ports[0])
            left = ports.pop(0)
            if self.returns:
                ports.append(left)

    def _converse(self, connection: http.client.HTTPConnection, port: int) -> None:
        while not self._stop.is_set():
            try:
                connection.request("GET", self.path)
                answer = connection.getresponse()
                answer.read()
            except (OSError, http.client.HTTPException) as error:
                with self._lock:
                    self.lost.append(repr(error))
                return
            with self._lock:
                self.served[port] = self.served.get(port, 0) + 1
            if answer.will_close:
                return


class Clock:
    """A clock that stands still until moved."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def eventually() -> Callable[..., Any]:
    return wait_until


@pytest.fixture
def get() -> Callable[..., Answer]:
    return ask


@pytest.fixture
def herd() -> type[Herd]:
    return Herd


@pytest.fixture
def settings() -> InstanceSettings:
    return InstanceSettings(version="1.1.0", slot="green", admin_port=0)


@pytest.fixture(autouse=True)
def as_an_instance_logs(settings: InstanceSettings) -> None:
    """Write the kit's lines, whichever test comes first: what is logged is what some of them look at."""
    configure_logs("product", settings)


@pytest.fixture
def make_app(settings: InstanceSettings) -> Callable[..., Flask]:
    """Make an app of service `product` in the test's own process."""

    def make(*blueprints: Blueprint, **options: Any) -> Flask:
        options.setdefault("settings", settings)
        return create_app("product", blueprints=blueprints, **options)

    return make
