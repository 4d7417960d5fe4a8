"""Instances that are read through the API server: whose doing it is when one does not answer."""

from __future__ import annotations

import json
import socket
import threading
import time

import pytest
import urllib3
from metrics.scraped import Pages

from deployer.errors import OperationError
from deployer.metrics import Counts, Instance, Scrape
from deployer.model import ServiceName, Slot

PODS = "api/v1/namespaces/product-dev/pods"
POD = f"{PODS}/a:9000/proxy"


def status(code: int, message: str) -> tuple[int, str]:
    """An answer in which the API server speaks of itself."""
    body = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code}
    return code, json.dumps(body | {"message": message})


REFUSED = status(503, "error trying to reach service: dial tcp 10.244.0.9:9000: connection refused")


def source(server: Pages, *instances: Instance, pool: urllib3.PoolManager | None = None) -> Scrape:
    """A source whose router is read directly: it answers whatever the API server does."""
    return Scrape(
        ServiceName("product"),
        Slot.GREEN,
        router_urls=lambda: [f"{server.url}/metrics"],
        instances_of=lambda slot: instances if slot is Slot.GREEN else (),
        pool=pool,
    )


def test_a_pod_is_read_through_the_api_server(server: Pages) -> None:
    """With the credentials of the pool, which direct pages get as well."""
    pod = server.tell(POD, memory=0.4)
    with urllib3.PoolManager(headers={"Authorization": "Bearer of-this-test"}) as pool:
        reading = source(server, pod, pool=pool).read()

    assert (reading.reachable, reading.candidate_healthy) == (True, True)
    assert reading.memory_share == 0.4
    assert {authorization for _, authorization in server.asked} == {"Bearer of-this-test"}


@pytest.mark.parametrize(
    "answer",
    [
        REFUSED,
        (503, json.dumps({"status": "unhealthy"})),
        (500, "a traceback"),
        status(400, "address not allowed"),
    ],
)
def test_a_pod_that_refuses_is_unhealthy(server: Pages, answer: tuple[int, str]) -> None:
    """The API server tried, or passed on what the pod itself said."""
    pod = server.tell(POD)
    server.pages[f"/{POD}/health"] = answer
    reading = source(server, pod).read()

    assert (reading.reachable, reading.candidate_healthy) == (True, False)


@pytest.mark.parametrize(
    "answer",
    [
        status(429, "too many requests, please try again later"),
        status(401, "Unauthorized"),
        status(500, "etcdserver: request timed out"),
        status(503, "the server is currently unable to handle the request"),
    ],
)
def test_an_api_server_that_does_not_do_its_part_is_blindness(
    server: Pages, answer: tuple[int, str]
) -> None:
    """Nothing is known of the pod; what the router has counted waits for the next reading."""
    pod = server.tell(POD)
    reader = source(server, pod)
    reader.read()
    server.route(green=(5, 5, 0, 0))
    known, server.pages[f"/{POD}/health"] = server.pages[f"/{POD}/health"], answer
    dark = reader.read()
    server.pages[f"/{POD}/health"] = known

    assert (dark.reachable, dark.candidate_healthy, dark.candidate) == (False, None, Counts())
    assert reader.read().candidate == Counts(5, failed=5)


def test_an_api_server_that_is_gone_is_blindness(server: Pages) -> None:
    """The same refused connection that, of an instance itself, is a health failure."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{probe.getsockname()[1]}"
    through = source(server, Instance(f"{gone}/{POD}", since=0.0)).read()
    direct = source(server, Instance(gone, since=0.0)).read()

    assert (through.reachable, through.candidate_healthy) == (False, None)
    assert (direct.reachable, direct.candidate_healthy) == (True, False)


@pytest.mark.parametrize("api_server_hangs", [False, True])
def test_a_pod_that_hangs_is_unhealthy_if_the_api_server_does_not(
    server: Pages, api_server_hangs: bool
) -> None:
    """It is asked for its version at the same time, and that tells which of the two it is."""
    pod = server.tell(POD)
    server.hung = {f"/{POD}/health", f"/{POD}/metrics"}
    if api_server_hangs:
        server.hung.add("/version")
    began = time.monotonic()
    reading = source(server, pod).read()

    assert time.monotonic() - began < 2
    seen = (reading.reachable, reading.candidate_healthy)
    assert seen == ((False, None) if api_server_hangs else (True, False))


def test_a_pod_that_was_deleted_meanwhile_is_no_instance_any_more(server: Pages) -> None:
    """It was scaled away between the list and the question."""
    pod, gone = server.tell(POD), Instance(f"{server.url}/{PODS}/b:9000/proxy", since=0.0)
    for page in ("health", "metrics"):
        server.pages[f"/{PODS}/b:9000/proxy/{page}"] = status(404, 'pods "b" not found')
    reading = source(server, pod, gone).read()

    assert (reading.reachable, reading.candidate_healthy) == (True, True)


def test_a_pod_without_the_page_is_unhealthy(server: Pages) -> None:
    """Its own 404 is not the API server's."""
    pod = server.tell(POD)
    server.pages.pop(f"/{POD}/health")

    assert source(server, pod).read().candidate_healthy is False


def test_a_deployer_that_may_not_read_pods_is_told(server: Pages) -> None:
    """That is a right to be given, not an outage."""
    pod = server.tell(POD)
    server.pages[f"/{POD}/metrics"] = status(403, 'pods "a:9000" is forbidden')

    with pytest.raises(OperationError, match="is forbidden") as told:
        source(server, pod).read()
    assert told.value.code == "forbidden"


def drip(listener: socket.socket, done: threading.Event) -> None:
    """Answer one client with a header that never ends."""
    client, _ = listener.accept()
    with client:
        client.sendall(b"HTTP/1.1 200 OK\r\nX-Long: ")
        while not done.wait(0.1):
            try:
                client.sendall(b"x")
            except OSError:
                return


def test_a_server_that_drips_is_not_waited_for(server: Pages) -> None:
    """A byte every so often keeps a socket's time-out from ever running out."""
    done = threading.Event()
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        listener.listen(8)
        threads = [threading.Thread(target=drip, args=(listener, done)) for _ in range(2)]
        for thread in threads:
            thread.start()
        instance = Instance(f"http://127.0.0.1:{listener.getsockname()[1]}", since=0.0)
        began = time.monotonic()
        reading = source(server, instance).read()
        took = time.monotonic() - began
        done.set()
        for thread in threads:
            thread.join()

    assert reading.candidate_healthy is False
    assert took < 2
