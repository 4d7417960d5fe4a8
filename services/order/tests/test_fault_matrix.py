"""Each dependency x each fault, against a real instance: what does not need it does not notice.

Sixteen clients keep asking for what needs the dependency, two for each thread of the instance, while one each asks
for all the rest: before the fault, while it lasts, and until the first is answered again.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from misbehaving import Fault, Line

from platform_kit import bulkhead, database
from platform_kit.tokens import REFETCH_SECONDS

pytestmark = pytest.mark.e2e  # what it measures wants the machine for itself

CLIENTS = 16
PAUSE_SECONDS = 1.0
NORMAL_SECONDS = 3.0
# The onset included: what a bulkhead has of patience is a twenty-fourth of it.
FAULT_SECONDS = 24 * bulkhead.LONG_SECONDS
PROBE_SECONDS = 0.1
RECOVERY_SECONDS = 5.0
# Twice the normal p95, or this much more: on a machine that others use too, a p95 of 5 ms is 20 ms a minute later.
NOISE_SECONDS = 0.05
# And for a while it may be 500 ms. What a fault does it does every time; what the machine does passes.
TRIES = 3
# Nobody waits longer: the bound of every request.
DEADLINE_SECONDS = 10.0

FAULTS = [Fault.DOWN, Fault.SLOW, Fault.HUNG, Fault.GARBAGE]
# The worst of each dependency every time; a case takes half a minute.
EVERY_TIME = ("product", Fault.HUNG)


@dataclass(frozen=True)
class Asked:
    """An answer and how long it took."""

    status: int
    seconds: float
    content_type: str | None
    retry_after: str | None


@dataclass
class Ordering:
    """A running instance of order, its customer, and the lines to what it depends on."""

    port: int
    admin_port: int
    token: str
    tea: int
    line: dict[str, Line] = field(default_factory=dict)

    def ask(self, method: str, path: str, *, token: str = "", body: object = None) -> Asked:
        """Send a request on a connection of its own."""
        port = self.admin_port if path in {"/health", "/metrics"} else self.port
        headers = {
            "Authorization": f"Bearer {token or self.token}",
            "Content-Type": "application/json",
        }
        if method == "POST":
            headers["Idempotency-Key"] = secrets.token_hex(8)
        begun = time.monotonic()
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
            connection.request(method, path, json.dumps(body) if body else None, headers)
            answer = connection.getresponse()
            answer.read()
        return Asked(
            answer.status,
            time.monotonic() - begun,
            answer.headers.get_content_type(),
            answer.headers.get("Retry-After"),
        )

    def place(self) -> Asked:
        """Order a cup of tea."""
        items = [{"product_id": self.tea, "quantity": 1}]
        return self.ask("POST", "/api/v1/orders", body={"items": items})

    def read(self) -> Asked:
        """Read the customer's orders."""
        return self.ask("GET", "/api/v1/orders?limit=1")

    def present_unknown_key(self) -> Asked:
        """Show a token that is signed by a key nobody has seen."""
        claims = {"sub": "ada", "iss": "auth", "aud": "platform", "exp": time.time() + 900}
        key = Ed25519PrivateKey.generate()
        token = jwt.encode(claims, key, "EdDSA", headers={"kid": "of tomorrow"})
        return self.ask("GET", "/api/v1/orders?limit=1", token=token)


@dataclass(frozen=True)
class Case:
    """What needs a dependency, how it is answered when all is well, what does not need it, and the load before."""

    needing: Callable[[Ordering], Asked]
    well: int
    others: tuple[str, ...]
    before: Callable[[Ordering], Asked]
    normal_seconds: float = NORMAL_SECONDS
    fault_seconds: float = FAULT_SECONDS


ALL_READS = ("/api", "/api/v1/orders?limit=1", "/health", "/metrics")
CASES = {
    "product": Case(Ordering.place, 201, ALL_READS, Ordering.place),
    "database": Case(
        Ordering.read,
        200,
        ("/api", "/health", "/metrics"),
        Ordering.read,
        fault_seconds=24 * database.LONG_SECONDS,
    ),
    # Keys are asked for again when the last answer is so old: nobody may show an unknown one just before.
    "auth": Case(Ordering.present_unknown_key, 401, ALL_READS, Ordering.read, REFETCH_SECONDS + 1),
}
MATRIX = [
    pytest.param(*cell, marks=() if cell == EVERY_TIME else pytest.mark.campaign)
    for cell in itertools.product(CASES, FAULTS)
]


SERVE = ["-m", "platform_kit.serve", "order"]
# The control: as many places as anybody wants, and a circuit that never opens.
UNPROTECTED = """
from platform_kit import breaker, bulkhead, serve
bulkhead.THREADS_SHARE, breaker.FAILURES_IN_A_ROW, breaker.WINDOW_CALLS = 100, 10**6, 10**6
serve.main(["order"])
"""


@pytest.fixture
def start(migrated_url, router, books, tmp_path, until):
    """Start an instance with eight threads; it is ready, with auth's keys in its memory."""
    router_at = urlsplit(router.url)
    services = Line(
        (str(router_at.hostname), int(router_at.port or 0)),
        name=lambda said: said.split(b"/")[1].decode(),
    )
    postgres = Line(_unix_socket(migrated_url), name=lambda _: "database")
    tea = router.shop.add(stock=1_000_000)
    running = ExitStack()

    def start(program: list[str]) -> Ordering:
        ordering = Ordering(_free_port(), _free_port(), router.token("ada"), tea)
        ordering.line = {"product": services, "auth": services, "database": postgres}
        environment = {
            "ORDER_DATABASE_URL": _over(migrated_url, postgres.port),
            "ORDER_ROUTER_URL": f"http://127.0.0.1:{services.port}",
            "PLATFORM_PORT": str(ordering.port),
            "PLATFORM_ADMIN_PORT": str(ordering.admin_port),
        }
        is_alive = running.enter_context(_running(program, environment, tmp_path / "order.log"))
        until(lambda: is_alive() and _answers(ordering))
        assert ordering.place().status == 201
        return ordering

    with running:
        yield start
    services.close()
    postgres.close()


@pytest.fixture
def ordering(start) -> Ordering:
    return start(SERVE)


@pytest.mark.parametrize(("dependency", "fault"), MATRIX)
def test_a_fault_of_one_dependency_stays_with_what_needs_it(ordering, dependency, fault):
    """The needing are answered or get their 503 in time; the others do not notice; the instance lives and recovers."""
    for _ in range(TRIES):
        normal, others = _measure(ordering, dependency, fault)
        if disturbed := _disturbed(normal, others):
            print(f"p95 in seconds, before and meanwhile: {disturbed}")  # noqa: T201 - beside a failure
        else:
            break

    assert disturbed == {}


def test_without_bulkhead_and_circuit_the_others_do_notice(start):
    """The control: the same measurement, with every thread waiting for a hung product."""
    ordering = start(["-c", UNPROTECTED])
    case, line = CASES["product"], ordering.line["product"]
    _, normal = _observe(ordering, case.before, case.others, seconds=case.normal_seconds)

    line.misbehave("product", Fault.HUNG)
    _, others = _observe(ordering, case.needing, case.others, seconds=case.fault_seconds)
    line.misbehave("product", Fault.NONE)

    assert "/api" in _disturbed(normal, others)
    assert {each.status for each in others["/health"]} == {200}


def _measure(ordering, dependency, fault):
    """Let it happen once; return what the others saw before and meanwhile."""
    case, line = CASES[dependency], ordering.line[dependency]
    _, normal = _observe(ordering, case.before, case.others, seconds=case.normal_seconds)

    line.misbehave(dependency, fault)
    asked, others = _observe(ordering, case.needing, case.others, seconds=case.fault_seconds)
    line.misbehave(dependency, Fault.NONE)
    recovered_after = _seconds_until(lambda: case.needing(ordering).status == case.well)

    assert_answered_in_time(asked, well=case.well)
    assert_felt(asked, fault)
    assert {each.status for path in case.others for each in others[path]} == {200}
    assert recovered_after <= RECOVERY_SECONDS
    return normal, others


def _disturbed(normal, others):
    """Return the p95 before and meanwhile, in seconds, of what became slower than it may."""
    return {
        path: (round(_p95(normal[path]), 3), round(_p95(seen), 3))
        for path, seen in others.items()
        if _p95(seen) > _allowed(normal[path])
    }


def assert_answered_in_time(asked, *, well):
    assert {each.status for each in asked} <= {well, 503}
    assert max(each.seconds for each in asked) < DEADLINE_SECONDS
    for each in asked:
        if each.status == 503:
            assert each.content_type == "application/problem+json"
            assert int(each.retry_after) >= 1


def assert_felt(asked, fault):
    """The control: the fault was there. Only a slow dependency may still answer all."""
    refused = [each for each in asked if each.status == 503]
    slow = [each for each in asked if each.seconds >= 1]
    assert refused or (fault is Fault.SLOW and slow)


def _observe(ordering, needing, paths, *, seconds):
    """Ask for everything at once for so long, and return what came: of the needing, and of the others by path."""
    stop = threading.Event()
    asked: list[Asked] = []
    others: dict[str, list[Asked]] = {path: [] for path in paths}

    def keep_asking():
        while not stop.wait(PAUSE_SECONDS):
            asked.append(needing(ordering))

    def probe(path):
        """Ask on time; who has to wait for the answer before is late from then on, and it counts."""
        due = time.monotonic()
        while not stop.wait(max(0, due - time.monotonic())):
            answer = ordering.ask("GET", path)
            others[path].append(replace(answer, seconds=time.monotonic() - due))
            due += PROBE_SECONDS

    threads = [threading.Thread(target=probe, args=(path,)) for path in paths]
    threads += [threading.Thread(target=keep_asking) for _ in range(CLIENTS)]
    for thread in threads:
        thread.start()
    stop.wait(seconds)
    stop.set()
    for thread in threads:
        thread.join(60)
    return asked, others


def _allowed(normal):
    usual = _p95(normal)
    return max(2 * usual, usual + NOISE_SECONDS)


def _p95(asked):
    seconds = sorted(each.seconds for each in asked)
    return seconds[int(len(seconds) * 0.95)]


def _seconds_until(claim):
    begun = time.monotonic()
    while not claim():
        assert time.monotonic() - begun < 60, "it never recovered"
        threading.Event().wait(0.05)
    return time.monotonic() - begun


@contextmanager
def _running(
    program: list[str], environment: dict[str, str], log: Path
) -> Iterator[Callable[[], bool]]:
    inherited = {name: value for name, value in os.environ.items() if "PLATFORM_" not in name}
    with log.open("wb") as stderr:
        process = subprocess.Popen(
            [sys.executable, *program],
            env={**inherited, **environment},
            stderr=stderr,
            start_new_session=True,
        )
    try:
        yield lambda: process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _answers(ordering: Ordering) -> bool:
    try:
        return ordering.read().status == 200
    except OSError:
        return False


def _unix_socket(url: str) -> str:
    folder = parse_qs(urlsplit(url).query)["host"][0]
    return f"{folder}/.s.PGSQL.5432"


def _over(url: str, port: int) -> str:
    return f"postgresql://postgres@127.0.0.1:{port}{urlsplit(url).path}?sslmode=disable"


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
