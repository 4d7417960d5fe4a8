"""Steady traffic through the router, and a record of every single answer.

Calls go out at fixed times whatever the answers take (up to the number of clients), so that a slow
release does not slow the traffic that should show it.
"""

from __future__ import annotations

import json
import random
import re
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass

import urllib3

from deployer.commands.demo.story import Call, Customer
from deployer.model import ServiceName

SERVED_BY = re.compile(r"(?P<service>[\w-]+)@(?P<version>\S+) \((?P<slot>blue|green)\)")
INJECTED = "fault_injected"  # the kit's problem code of an error that it was told to make
CLIENTS_FOR_RATE = 8  # requests/s a client: 125 ms for an answer before calls go out late


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back of one call: `status` 0 for no answer at all, times in seconds."""

    service: ServiceName
    at: float
    seconds: float
    status: int
    version: str | None
    injected: bool

    @property
    def ok(self) -> bool:
        """Whether the customer got what they asked for."""
        return 200 <= self.status < 300


class Traffic:
    """Clients that repeat a mix of calls at a rate, from `start` to `stop`."""

    def __init__(
        self, customer: Customer, calls: Sequence[Call], *, per_second: float, clients: int = 0
    ) -> None:
        self._customer = customer
        self._calls = calls
        self._period = 1 / per_second
        self._clients = clients or max(2, round(per_second / CLIENTS_FOR_RATE))
        self._answers: list[Answer] = []
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._next_at = 0.0
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin to send."""
        self._next_at = time.monotonic()
        self._threads = [
            threading.Thread(target=self._client, args=(number,), daemon=True)
            for number in range(self._clients)
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Stop sending and wait for the last answers."""
        self._stopped.set()
        for thread in self._threads:
            thread.join()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer so far."""
        with self._lock:
            return tuple(self._answers)

    def since(self, number: int) -> tuple[Answer, ...]:
        """Return the answers after the first `number`."""
        with self._lock:
            return tuple(self._answers[number:])

    def _client(self, number: int) -> None:
        # Seeded by the client's number: the mix is the same every time.
        choose = random.Random(number)  # noqa: S311  # a mix of calls, not a secret
        weights = [call.weight for call in self._calls]
        # A pool a client: one keep-alive connection each, as a real client has.
        with urllib3.PoolManager(maxsize=1, retries=False, timeout=10.0) as http:
            while not self._stopped.is_set():
                time.sleep(max(0.0, self._take_turn() - time.monotonic()))
                (call,) = choose.choices(self._calls, weights)
                answer = self._send(call, http)
                with self._lock:
                    self._answers.append(answer)

    def _take_turn(self) -> float:
        with self._lock:
            turn = self._next_at
            # Never more than a second behind: a stall is not made up for by a burst.
            self._next_at = max(turn + self._period, time.monotonic() - 1.0)
            return turn

    def _send(self, call: Call, http: urllib3.PoolManager) -> Answer:
        began = time.monotonic()
        try:
            answer = self._customer.send(call, http)
        except urllib3.exceptions.HTTPError:
            return Answer(call.service, time.time(), time.monotonic() - began, 0, None, False)  # noqa: FBT003  # a row
        if answer.status == call.expect:
            self._customer.remember(call, answer)
        served = SERVED_BY.fullmatch(answer.headers.get("X-Served-By", ""))
        return Answer(
            call.service,
            time.time(),
            time.monotonic() - began,
            answer.status,
            served["version"] if served else None,
            injected=answer.status >= 500 and _is_injected(answer.data),
        )


def _is_injected(body: bytes) -> bool:
    try:
        return bool(json.loads(body).get("code") == INJECTED)
    except (ValueError, AttributeError):
        return False


def p95(answers: Sequence[Answer]) -> float:
    """Return the 95th percentile of the answers' times in seconds, 0 without answers."""
    if not answers:
        return 0.0
    times = sorted(answer.seconds for answer in answers)
    return times[min(len(times) - 1, int(len(times) * 0.95))]
