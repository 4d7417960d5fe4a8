"""Passages: traffic moves from one release of product to another while customers keep asking."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from e2e.shop import NEW, PRODUCT

from deployer.commands.context import Context
from deployer.commands.demo.story import Call, Customer
from deployer.commands.demo.traffic import Answer, Traffic
from deployer.commands.orders import leased
from deployer.commands.release import Wanted
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.engine import Strategy
from deployer.model import Release
from deployer.targets.protocol import Place

DEPLOYER = Path(sys.executable).with_name("deployer")
BROWSE = Call(PRODUCT, "GET", "/product/api/v1/products?limit=5", weight=4)
# A router tries a GET again that met a closed connection, and nobody notices. A POST it can't.
STOCK = Call(
    PRODUCT,
    "POST",
    "/product/api/v1/inventory",
    json={"sku": "thing-{unique}", "name": "Thing", "price": "1.50", "stock": 1},
    internal=True,
)
CLIENTS = 64
PER_SECOND = 220.0  # a tenth above the 200 that are promised: calls go out late now and then
# Rolling one of one is a switch; two are the fewest that it moves one after the other.
INSTANCES = {Strategy.ROLLING: 2}
# From the decision to the last answer of the bad version: the old slot is warm, or has to be filled.
LAST_SECONDS = {Strategy.CANARY: 2.0, Strategy.BLUE_GREEN: 2.0, Strategy.ROLLING: 30.0}
COLD_SECONDS = 60.0
TAIL_SECONDS = 0.5  # after the end: a request that is lost late counts too


@dataclass(frozen=True, slots=True)
class Passage:
    """One promotion or rollback under load. Times in seconds since the epoch."""

    decided_at: float
    ended_at: float
    answers: tuple[Answer, ...]

    @property
    def seconds(self) -> float:
        """From the decision to the end of the rollout."""
        return self.ended_at - self.decided_at

    @property
    def failed(self) -> int:
        """How many requests were lost."""
        return sum(not answer.ok for answer in self.answers)

    @property
    def per_second(self) -> float:
        """How many requests a second were answered."""
        times = [answer.at for answer in self.answers]
        return len(times) / max(max(times) - min(times), 1e-3)

    def last_served_by(self, version: str) -> float:
        """Return when the last answer of a version came, in seconds after the decision."""
        times = [answer.at for answer in self.answers if answer.version == version]
        return max(0.0, max(times) - self.decided_at)

    def back_after(self, version: str) -> float:
        """Return from when on every request sent was answered well, and by that version."""
        wrong = [
            answer.at - answer.seconds
            for answer in self.answers
            if not answer.ok or answer.version != version
        ]
        return max(0.0, max(wrong, default=self.decided_at) - self.decided_at)

    def row(self) -> dict[str, object]:
        """Return the figures that go into the record."""
        return {
            "seconds": round(self.seconds, 2),
            "requests": len(self.answers),
            "per_second": round(self.per_second, 1),
            "failed": self.failed,
        }


@contextmanager
def clients(
    customer: Customer,
    calls: Sequence[Call] = (BROWSE, STOCK),
    *,
    per_second: float = PER_SECOND,
    count: int = CLIENTS,
) -> Iterator[Traffic]:
    """Let so many keep-alive clients make these calls, each on a connection of its own."""
    traffic = Traffic(customer, calls, per_second=per_second, clients=count)
    traffic.start()
    try:
        wait_for(lambda: len(traffic.answers) > count, seconds=30)
        yield traffic
    finally:
        traffic.stop()


def under_load(traffic: Traffic, move: Callable[[], object]) -> Passage:
    """Make a move and return what the clients saw of it."""
    seen = len(traffic.answers)
    decided_at = time.time()
    move()
    ended_at = time.time()
    wait_for(lambda: traffic.answers[-1].at > ended_at + TAIL_SECONDS, seconds=30)
    return Passage(decided_at, ended_at, traffic.since(seen))


def promote(context: Context) -> None:
    """Roll the new release out."""
    (state,) = rollout(context, [Wanted(PRODUCT, NEW)])
    assert state is not None
    assert state.phase == "promoted", state.cause


def switch(context: Context, target: Place, release: Release) -> None:
    """Promote a release into the idle slot, started with care, and retire the other at once.

    By a target that may have no safeguards: what is lost then is lost by the switch.
    """
    live = context.target.situation(release.service).live
    assert live is not None
    with leased(context, release.service) as lease:
        fence = lease.fence
        context.target.scale(live.other, release, 1, fence=fence, interrupted=lambda: False)
        target.shift(release.service, live.other, 100, fence=fence)
        target.promote(release.service, live.other, standby_until=None, fence=fence)
        target.retire(release.service, live, fence=fence)


def take_back(context: Context) -> None:
    """Roll it back, by a call of the library."""
    state = rollback(context, PRODUCT)
    assert state.phase in {"promoted", "rolled-back"}, state.cause


def take_back_by_program(context: Context) -> None:
    """Roll it back as a person does: the program's own start counts."""
    deployer(context, "rollback", PRODUCT)


def deployer(context: Context, *words: str, codes: Sequence[int] = (0,)) -> str:
    """Run the real program to its end and return what it said."""
    done = subprocess.run(
        (str(DEPLOYER), *words, "--env", context.environment.name),
        cwd=context.workspace.root,
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in codes, done.stderr
    return done.stderr


def fill_live(context: Context, instances: int) -> None:
    """Bring the live slot to a size, as an earlier rollout under that policy has left it."""
    serving = context.target.situation(PRODUCT).serving
    assert serving is not None
    with leased(context, PRODUCT) as lease:
        context.target.scale(
            serving.slot, serving.release, instances, fence=lease.fence, interrupted=lambda: False
        )


def wait_for(claim: Callable[[], object], *, seconds: float) -> None:
    """Poll until something is so; fail after so many seconds."""
    deadline = time.monotonic() + seconds
    while not claim():
        assert time.monotonic() < deadline, "never came true"
        time.sleep(0.02)  # a poll with a deadline
