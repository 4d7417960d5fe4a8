"""A running stack for scenarios: one service, its router and database, and who asks things of it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from checkouts import set_version
from polling import eventually

from deployer.commands.context import Context, open_context
from deployer.commands.demo.story import Call, Customer
from deployer.commands.demo.traffic import Traffic
from deployer.commands.orders import unfinished
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.commands.up import down
from deployer.driver import read_rollout
from deployer.engine import LOOKING, Event, Phase, Rollout
from deployer.ledger import Request, Verb
from deployer.model import ServiceName
from deployer.releases import Version

PRODUCT = ServiceName("product")
PROGRAM = Path(sys.executable).with_name("deployer")
WHO = Call(PRODUCT, "GET", "/product/api")  # the cheapest answer: the machine is small
BROWSE = Call(PRODUCT, "GET", "/product/api/v1/products?limit=1")
SECONDS = 120.0  # the longest that anything here may take on a machine with much else to do


def until(true: Callable[[], object], what: str) -> None:
    """Wait until something is so, and fail with `what` when it never is."""
    assert eventually(true, seconds=SECONDS), f"never: {what}"


class Shop:
    """The stack, at whatever version the scenario before has left it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.said: list[str] = []
        self.context = open_context(root, "local", say=self.said.append)
        self._minor = 0
        self._started: list[subprocess.Popen[str]] = []

    def close(self) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
            process.communicate()
        down(self.context)

    @property
    def live(self) -> str | None:
        record = self.context.target.records.read(PRODUCT)
        held = record.slot(record.live) if record.live else None
        return held.release.version if held else None

    def commit_next(self) -> str:
        """Commit a version that was never there before, and return it."""
        self._minor += 1
        version = f"1.{self._minor}.0"
        set_version(self.root, version)
        return version

    def push(self, state: Rollout, _event: Event | None) -> None:
        """Listen to a rollout, and promote each step by hand: no scenario needs traffic for it."""
        header = unfinished(self.context, PRODUCT)
        if state.phase in LOOKING and header is not None:
            wish = Request(time.time(), Verb.PROMOTE, by="the scenario", why="no traffic")
            self.context.ledger.request(header.service, header.id, wish)

    def promote_next(self) -> str:
        """Roll out a version that was never there before, and return it."""
        version = self.commit_next()
        (state,) = rollout(self.context, [Wanted(PRODUCT)], listen=self.push)
        assert state is not None
        assert state.phase is Phase.PROMOTED, state.cause
        return version

    def promote_unless(self, there: object) -> None:
        """Roll out one more version unless an earlier scenario left what this one needs."""
        if not there:
            self.promote_next()

    def deployer(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run the real program to its end."""
        return subprocess.run(
            (PROGRAM, *arguments),
            cwd=self.root,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )

    def start_deployer(self, *arguments: str) -> subprocess.Popen[str]:
        """Run the real program beside."""
        process = subprocess.Popen(
            (PROGRAM, *arguments),
            cwd=self.root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def start_rollout(self) -> tuple[subprocess.Popen[str], str]:
        """Start a rollout in a process of its own; return when half of the traffic has moved.

        Without traffic it stays there, waiting for requests.
        """
        version = self.commit_next()
        process = self.start_deployer("rollout", PRODUCT, "--json")
        until(lambda: self.phase is Phase.WATCHING or process.poll() is not None, "watching")
        assert process.poll() is None, process.communicate()
        return process, version

    @property
    def phase(self) -> Phase | None:
        """Where the rollout is that is under way."""
        header = unfinished(self.context, PRODUCT)
        return read_rollout(self.context.ledger, header).phase if header else None

    def kill(self, process: subprocess.Popen[str]) -> None:
        """End a process of ours as a crash would, and collect it."""
        os.kill(process.pid, signal.SIGKILL)
        process.communicate()

    @contextmanager
    def traffic(self, call: Call = WHO) -> Iterator[Traffic]:
        """Send requests through the router while a scenario goes on."""
        router = self.context.target.router
        customer = Customer(router.public_url, router.internal_url)
        traffic = Traffic(customer, [call], per_second=100.0, clients=4)
        traffic.start()
        try:
            yield traffic
        finally:
            traffic.stop()

    def later(self, seconds: float) -> Context:
        """The same stack, seen by a deployer whose clock is ahead."""

        class Ahead:
            def now(self) -> float:
                return time.time() + seconds

            def sleep(self, seconds: float) -> None:
                time.sleep(seconds)  # the real clock, only ahead

        context = replace(self.context, clock=Ahead())
        context.__dict__["local"] = self.context.target
        return context


def wanted(version: str | None = None, **configuration: str) -> Wanted:
    """Ask for a version of product, with frozen settings."""
    parsed = Version.parse(version) if version else None
    return Wanted(PRODUCT, parsed, tuple(sorted(configuration.items())))
