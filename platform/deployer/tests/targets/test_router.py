"""The router: a real Traefik in front of small backends that say which slot they are."""

from __future__ import annotations

import socket
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil
import pytest
import urllib3
from polling import eventually

from deployer.environment import Ports
from deployer.errors import ConflictError, OperationError
from deployer.model import Release, ServiceName, Slot
from deployer.targets.local import processes
from deployer.targets.local import router as module
from deployer.targets.local.ports import free_ports
from deployer.targets.local.router import Router
from deployer.targets.record import Instance, ServiceRecord, SlotRecord

pytestmark = pytest.mark.integration

PRODUCT = ServiceName("product")
RELEASE = Release(PRODUCT, "1.0.0", "a" * 64)


class Backend(BaseHTTPRequestHandler):
    """Says which slot it is, and what path it was asked for."""

    protocol_version = "HTTP/1.1"
    wbufsize = 4096  # one packet an answer: a second one would wait 40 ms for an acknowledgement
    slot: Slot

    def do_GET(self) -> None:
        """Answer everything."""
        body = self.path.encode()
        self.send_response(200)
        self.send_header("X-Served-By", f"product@1.0.0 ({self.slot})")
        self.send_header("X-Seen-Timeout", self.headers.get("X-Request-Timeout-Ms", "none"))
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@pytest.fixture(scope="module")
def backends() -> Iterator[dict[Slot, int]]:
    """A backend a slot, by port."""
    servers = {}
    for slot in Slot:
        handler = type(f"{slot}Backend", (Backend,), {"slot": slot})
        servers[slot] = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=servers[slot].serve_forever, args=(0.01,), daemon=True).start()
    yield {slot: server.server_address[1] for slot, server in servers.items()}
    for server in servers.values():
        server.shutdown()
        server.server_close()


@pytest.fixture(scope="module")
def started(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Router]:
    state = tmp_path_factory.mktemp("state")
    public, internal, admin = free_ports(3)
    yield Router(state, Ports(public=public, internal=internal, admin=admin))
    processes.stop([each for _, each in processes.ours(state)], grace_seconds=5)


@pytest.fixture
def router(started: Router) -> Router:
    """A running Traefik without any route; what a test did to it is put right."""
    started.up()
    empty = ServiceRecord(PRODUCT)
    started.write(empty, internal=())
    started.confirm(empty)
    return started


def record(backends: dict[Slot, int], **weights: int) -> ServiceRecord:
    made = ServiceRecord(PRODUCT)
    for name, weight in weights.items():
        slot = Slot(name)
        instance = Instance(f"product-{slot}-1", 1, 1.0, backends[slot], 1)
        made = made.with_slot(slot, SlotRecord(RELEASE, 1, weight, (instance,)))
    return made


def serve(router: Router, wanted: ServiceRecord, *, internal: tuple[str, ...] = ()) -> None:
    router.write(wanted, internal=internal)
    router.confirm(wanted)


def served(url: str, *, times: int, path: str = "/product/api") -> Counter[str]:
    with urllib3.PoolManager(retries=False) as pool:
        answers = [pool.request("GET", f"{url}{path}") for _ in range(times)]
    return Counter(answer.headers.get("X-Served-By", str(answer.status)) for answer in answers)


def process_of(router: Router) -> psutil.Process:
    ((_, process),) = processes.ours(router._state)
    return process


def test_up_twice_starts_one(router: Router):
    """The second finds the first, also from another deployer."""
    before = process_of(router).pid
    Router(router._state, router._ports).up()

    assert process_of(router).pid == before


@pytest.mark.parametrize("weight", [0, 30, 100])
def test_a_weight_is_the_share_of_the_requests(
    router: Router, backends: dict[Slot, int], weight: int
):
    """On both listeners, from the first request after it is confirmed."""
    serve(router, record(backends, blue=100 - weight, green=weight))
    for url in (router.public_url, router.internal_url):
        counts = served(url, times=300)

        assert counts.total() == 300
        assert counts["product@1.0.0 (green)"] / 3 == pytest.approx(weight, abs=3)
        assert counts["product@1.0.0 (blue)"] / 3 == pytest.approx(100 - weight, abs=3)


def test_the_services_name_is_stripped(router: Router, backends: dict[Slot, int]):
    """An instance knows nothing of the path that it is reached under."""
    serve(router, record(backends, blue=100))
    answer = urllib3.request("GET", f"{router.public_url}/product/api/v1/products?limit=2")

    assert answer.data == b"/api/v1/products?limit=2"


def test_what_is_internal_is_not_there_for_customers(router: Router, backends: dict[Slot, int]):
    """Other services reach it by their own listener; the rest is open to both."""
    serve(router, record(backends, blue=100), internal=("/api/v1/inventory",))
    inside = "/product/api/v1/inventory/1"

    assert set(served(router.public_url, times=1, path=inside)) == {"404"}
    assert set(served(router.internal_url, times=1, path=inside)) == {"product@1.0.0 (blue)"}
    assert set(served(router.public_url, times=1)) == {"product@1.0.0 (blue)"}


def test_a_deadline_is_not_said_from_outside(router: Router, backends: dict[Slot, int]):
    """With it a customer could turn requests into errors of the release."""
    serve(router, record(backends, blue=100))
    seen = [
        urllib3.request("GET", f"{url}/product/api", headers={"X-Request-Timeout-Ms": "1"})
        for url in (router.public_url, router.internal_url)
    ]

    assert [answer.headers["X-Seen-Timeout"] for answer in seen] == ["none", "1"]


def test_health_and_metrics_are_not_routed(router: Router, backends: dict[Slot, int]):
    """Only what is below /api is, on either listener."""
    serve(router, record(backends, blue=100))

    assert set(served(router.public_url, times=1, path="/product/metrics")) == {"404"}
    assert set(served(router.internal_url, times=1, path="/product/health")) == {"404"}


def test_a_service_without_instances_has_no_route(router: Router, backends: dict[Slot, int]):
    """An emptied record is confirmed like any other."""
    serve(router, record(backends, blue=100))
    serve(router, ServiceRecord(PRODUCT))

    assert set(served(router.public_url, times=20)) == {"404"}


def test_another_services_route_stays(router: Router, backends: dict[Slot, int]):
    """Each has a file of its own."""
    serve(router, record(backends, blue=100))
    router.write(ServiceRecord(ServiceName("order")), internal=())

    assert set(served(router.public_url, times=20)) == {"product@1.0.0 (blue)"}


def test_a_route_is_confirmed_by_answers_not_by_words(
    router: Router, backends: dict[Slot, int], monkeypatch: pytest.MonkeyPatch
):
    """Traefik shows the new weights; the instance behind them is another slot's."""
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.5)
    crossed = record({**backends, Slot.GREEN: backends[Slot.BLUE]}, blue=0, green=100)
    router.write(crossed, internal=())
    with pytest.raises(OperationError) as refused:
        router.confirm(crossed)

    assert refused.value.code == "route-not-taken"
    assert "product" in refused.value.cause
    router.confirm(crossed, answering=(Slot.BLUE,))


def test_a_route_to_nobody_is_not_confirmed(
    router: Router, backends: dict[Slot, int], monkeypatch: pytest.MonkeyPatch
):
    """The router's own 502 is no answer of the slot."""
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.5)
    (nobody,) = free_ports(1)
    with pytest.raises(OperationError) as refused:
        serve(router, record({**backends, Slot.GREEN: nobody}, green=100))

    assert refused.value.code == "route-not-taken"


def test_a_dead_router_takes_no_route(
    router: Router, backends: dict[Slot, int], monkeypatch: pytest.MonkeyPatch
):
    """Whatever its file says."""
    monkeypatch.setattr(module, "CONFIRM_SECONDS", 0.3)
    processes.stop([process_of(router)], grace_seconds=0)
    with pytest.raises(OperationError) as refused:
        serve(router, record(backends, blue=100))

    assert refused.value.code == "route-not-taken"
    assert not router.running()


def test_a_killed_router_comes_back_with_its_routes(router: Router, backends: dict[Slot, int]):
    """They are in its files."""
    wanted = record(backends, blue=50, green=50)
    serve(router, wanted)
    killed = process_of(router)
    processes.stop([killed], grace_seconds=0)
    router.up()
    router.confirm(wanted)

    assert process_of(router).pid != killed.pid
    assert len(served(router.public_url, times=20)) == 2


def test_a_router_that_hangs_is_replaced(router: Router, backends: dict[Slot, int]):
    """It has the ports, so it has to go first."""
    serve(router, record(backends, blue=100))
    hung = process_of(router)
    hung.suspend()
    router.up()

    assert process_of(router).pid != hung.pid
    assert router.running()


def test_a_taken_port_is_told_by_whom(tmp_path: Path):
    """And which of the listeners wants it."""
    public, internal, admin = free_ports(3)
    me = psutil.Process()
    with (
        socket.create_server(("127.0.0.1", internal)),
        pytest.raises(ConflictError) as refused,
    ):
        Router(tmp_path, Ports(public=public, internal=internal, admin=admin)).up()

    assert refused.value.code == "port-taken"
    assert f"port {internal} (internal) is taken by {me.name()} (process {me.pid}" in (
        refused.value.cause
    )
    assert "[ports]" in refused.value.hint
    assert not list(processes.ours(tmp_path))


def test_a_router_that_does_not_come_up_shows_its_log(tmp_path: Path):
    """A port that is bound but not listened at looks free until Traefik wants it."""
    public, internal, admin = free_ports(3)
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", public))
        with pytest.raises(OperationError) as refused:
            Router(tmp_path, Ports(public=public, internal=internal, admin=admin)).up()

    assert refused.value.code == "router-down"
    assert any("address already in use" in line for line in refused.value.details)
    assert eventually(lambda: not list(processes.ours(tmp_path)))


def test_a_program_on_the_admin_port_is_not_our_router(router: Router, tmp_path: Path):
    """Somebody else's Traefik answers just the same."""
    assert router.running()
    assert not Router(tmp_path, router._ports).running()
