"""The scraping source against a real Traefik in front of a real small backend."""

from __future__ import annotations

import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import urllib3
from polling import eventually

from deployer.metrics import Counts, Scrape
from deployer.model import ServiceName, Slot
from deployer.targets.local.router import _program

pytestmark = pytest.mark.integration

STATUSES = {"/ok": 200, "/missing": 404, "/bad": 500, "/slow": 200}


class Backend(BaseHTTPRequestHandler):
    """Answers by path."""

    def do_GET(self) -> None:
        """Answer with the path's status, late when it is slow."""
        if self.path == "/slow":
            time.sleep(1.2)  # what is measured is time itself
        self.send_response(STATUSES[self.path])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Be quiet."""


@dataclass(frozen=True)
class Router:
    """A running Traefik: an address for each slot, and its metrics."""

    blue: str
    green: str
    metrics: str


def free_ports(count: int) -> list[int]:
    probes = [socket.socket() for _ in range(count)]
    try:
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]
    finally:
        for probe in probes:
            probe.close()


def get(url: str, *, timeout: float = 5.0) -> int | None:
    try:
        return urllib3.request("GET", url, timeout=timeout, retries=False).status
    except urllib3.exceptions.HTTPError:
        return None


@pytest.fixture(scope="module")
def backend() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Backend)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server.server_address[1]
    server.shutdown()
    server.server_close()


@pytest.fixture
def router(backend: int, tmp_path: Path) -> Iterator[Router]:
    blue, green, admin, nobody = free_ports(4)
    (tmp_path / "routes.yml").write_text(f"""
http:
  routers:
    blue: {{rule: "PathPrefix(`/`)", service: product-blue, entryPoints: [blue]}}
    green: {{rule: "PathPrefix(`/`)", service: product-green, entryPoints: [green]}}
  services:
    product-blue: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{backend}"}}]}}}}
    product-green: {{loadBalancer: {{servers: [{{url: "http://127.0.0.1:{nobody}"}}]}}}}
""")
    command = [
        str(_program()),
        *(
            f"--entrypoints.{n}.address=127.0.0.1:{p}"
            for n, p in (("blue", blue), ("green", green))
        ),
        f"--entrypoints.admin.address=127.0.0.1:{admin}",
        "--metrics.prometheus.entrypoint=admin",
        "--metrics.prometheus.addserviceslabels=true",
        "--metrics.prometheus.buckets=0.1,0.5,1.0,2.5",
        f"--providers.file.filename={tmp_path / 'routes.yml'}",
        "--global.checknewversion=false",
        "--global.sendanonymoususage=false",
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, cwd=tmp_path) as process:
        addresses = [f"http://127.0.0.1:{port}" for port in (blue, green, admin)]
        made = Router(addresses[0], addresses[1], f"{addresses[2]}/metrics")
        try:
            assert eventually(lambda: get(f"{made.blue}/ok") == 200)
            yield made
        finally:
            process.terminate()


def source_for(router: Router, candidate: Slot) -> Scrape:
    return Scrape(
        ServiceName("product"),
        candidate,
        router_urls=lambda: [router.metrics],
        instances_of=lambda _: [],
    )


def test_traefiks_own_page_is_read_right(router: Router) -> None:
    """Codes, slow requests and the 502s of a slot that is dead."""
    source = source_for(router, Slot.BLUE)
    assert source.read().reachable
    for path in ("/ok", "/ok", "/missing", "/bad", "/slow"):
        get(f"{router.blue}{path}")
    assert [get(f"{router.green}/ok") for _ in range(3)] == [502] * 3
    expected = (Counts(5, failed=1, slow=1, refused=1), Counts(3, failed=3))

    def seen() -> tuple[Counts, Counts]:
        reading = source.read()
        return reading.candidate, reading.live

    assert eventually(lambda: seen() == expected)


def test_a_caller_that_hangs_up_does_not_fail_the_release(router: Router) -> None:
    """Traefik writes 499; the release did not fail, the caller did not wait."""
    source = source_for(router, Slot.BLUE)
    source.read()
    assert get(f"{router.blue}/slow", timeout=0.3) is None

    assert eventually(lambda: source.read().candidate == Counts(1, refused=1))
