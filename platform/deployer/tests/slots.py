"""One service in two slots of the local target: real releases, a real router, and its clients."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import psutil
import urllib3
from polling import eventually

from deployer.environment import Environment
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.targets.local import LocalTarget, Safeguards, processes
from deployer.targets.record import Instance, ServiceRecord

PRODUCT = ServiceName("product")
BLUE, GREEN = Slot.BLUE, Slot.GREEN
HOLDER = Fence(7)
INTERNAL = ("/api/v1/inventory",)
SAFE = Safeguards()


@dataclass(frozen=True)
class Stack:
    """A running database and router, two releases, and the target over them."""

    target: LocalTarget
    environment: Environment
    v1: Release
    v2: Release

    def other(self, *, ready_seconds: float = 30, safeguards: Safeguards = SAFE) -> LocalTarget:
        """Return a target over the same state, as another deployer with another policy has it."""
        policy = self.environment.instance.model_copy(update={"ready_seconds": ready_seconds})
        return LocalTarget(
            self.target.state,
            self.environment.model_copy(update={"instance": policy}),
            builds=self.target.builds,
            internal=lambda _: INTERNAL,
            safeguards=safeguards,
        )

    def scale(self, slot: Slot, release: Release, instances: int = 1) -> None:
        self.target.scale(slot, release, instances, fence=HOLDER, interrupted=lambda: False)

    def shift(self, slot: Slot, weight: int) -> None:
        self.target.shift(PRODUCT, slot, weight, fence=HOLDER)

    def record(self) -> ServiceRecord:
        return self.target.records.read(PRODUCT)

    def instances(self, slot: Slot) -> tuple[Instance, ...]:
        held = self.record().slot(slot)
        return held.instances if held else ()

    def url(self, path: str = "/api") -> str:
        return f"{self.target.router.public_url}/product{path}"

    def ask(self, path: str, *, times: int) -> list[str]:
        """Send so many requests and return the ids that their answers carry."""
        with urllib3.PoolManager(retries=False) as pool:
            answers = [pool.request("GET", self.url(path)) for _ in range(times)]
        return [answer.headers["X-Request-Id"] for answer in answers]


def served(url: str, *, times: int) -> Counter[str]:
    with urllib3.PoolManager(retries=False) as pool:
        answers = [pool.request("GET", url) for _ in range(times)]
    return Counter(answer.headers.get("X-Served-By", str(answer.status)) for answer in answers)


def kill(instance: Instance) -> None:
    """Kill an instance's master as nothing can refuse, and see it gone."""
    psutil.Process(instance.pid).kill()
    assert eventually(lambda: not processes.alive(instance.pid, instance.started))


@dataclass
class Clients:
    """Keep-alive clients that ask without pause: what they were answered, and what they lost."""

    url: str
    timeout_seconds: float = 10.0
    answers: list[str] = field(default_factory=list)
    lost: list[str] = field(default_factory=list)
    _done: threading.Event = field(default_factory=threading.Event)

    @contextmanager
    def asking(self, count: int, *, answers: int | None = None) -> Iterator[Clients]:
        """Let so many clients ask, once there were `answers` (as many as clients, if not said)."""
        threads = [threading.Thread(target=self._ask) for _ in range(count)]
        for thread in threads:
            thread.start()
        try:
            wanted = count if answers is None else answers
            assert eventually(lambda: len(self.answers) >= wanted)
            yield self
        finally:
            self._done.set()
            for thread in threads:
                thread.join()

    def _ask(self) -> None:
        with urllib3.PoolManager(maxsize=1, retries=False, timeout=self.timeout_seconds) as pool:
            while not self._done.is_set():
                try:
                    answer = pool.request("GET", self.url)
                except urllib3.exceptions.HTTPError as error:
                    self.lost.append(repr(error))
                    continue
                said = answer.headers.get("X-Served-By", "")
                (self.answers if answer.status == 200 else self.lost).append(said)

    def seen(self, slot: Slot) -> int:
        return sum(f"({slot})" in answer for answer in self.answers)
