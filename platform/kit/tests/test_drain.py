"""The drain: no request is lost, and a control that proves the check can see a loss."""

import signal
import threading

import pytest

pytestmark = pytest.mark.integration


def test_a_drain_loses_no_request_of_clients_that_go_elsewhere(start, herd, eventually):
    """32 keep-alive clients move from the stopped instance to another one, and miss no answer."""
    leaving, staying = start(), start()
    with herd([leaving.port, staying.port], clients=32) as clients:
        eventually(lambda: clients.total() > 300)
        exit_code = leaving.stop()
        at_the_end = clients.total()
        eventually(lambda: clients.total() > at_the_end + 300)

    assert (exit_code, clients.lost) == (0, [])
    assert clients.served[leaving.port] >= 300
    assert clients.served[staying.port] >= 300


@pytest.mark.parametrize(
    ("restarts", "requests"),
    [(4, 1_000), pytest.param(60, 50_000, marks=pytest.mark.campaign)],
)
def test_rolling_restarts_lose_no_request(start, herd, eventually, record, restarts, requests):
    """Two instances take turns under 64 keep-alive clients: each is stopped and started anew beside the other."""
    instances = [start(), start()]
    ports = [instance.port for instance in instances]
    with herd(ports, clients=64, path="/api/v1/work?seconds=0") as clients:
        for restart in range(1, restarts + 1):
            eventually(lambda due=restart * requests / restarts: clients.total() >= due)
            turn = restart % 2
            assert instances[turn].stop() == 0
            instances[turn] = start(port=ports[turn])

    assert clients.lost == []
    assert clients.total() >= requests
    assert min(clients.served.values()) > 0
    record("rolling-restarts", restarts=restarts, requests=clients.total(), lost=0)


def test_a_drain_loses_nothing_when_clients_never_leave(start, herd, eventually):
    """Clients that come back at once never let it get quiet: at the bound the door is shut, and nobody is reset."""
    instance = start(PLATFORM_DRAIN_SECONDS=1)
    with herd([instance.port], clients=32) as clients:
        eventually(lambda: clients.total() > 100)
        exit_code = instance.stop()
        eventually(clients.has_left)

    assert (exit_code, clients.lost) == (0, [])


@pytest.mark.parametrize("switch", ["PLATFORM_QUIET_SECONDS", "PLATFORM_DRAIN_SECONDS"])
def test_without_the_drain_the_same_check_sees_losses(start, herd, eventually, switch):
    """The negative control: with the drain switched off, the same clients lose answers."""
    instance = start(**{switch: 0})
    with herd([instance.port], clients=32) as clients:
        eventually(lambda: clients.total() > 100)
        instance.stop()
        eventually(clients.has_left)

    assert len(clients.lost) > 0


def test_queued_requests_are_answered_and_told_to_close(start, herd, eventually):
    """20 requests for one thread: all are answered after the signal, and no connection is kept."""
    instance = start(PLATFORM_THREADS=1)
    path = "/api/v1/work?seconds=0.05"
    with herd([instance.port], clients=20, path=path, returns=False) as clients:
        eventually(lambda: instance.metric("http_requests_waiting") >= 15)
        assert instance.stop() == 0
        eventually(clients.has_left)

    assert clients.lost == []
    assert instance.event("instance_drained")["cut_off"] == 0


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_ready_turns_false_while_requests_are_still_served(start, get, eventually, sig):
    """The router is told first; what it sends until it has noticed is answered, with `Connection: close`."""
    instance = start(PLATFORM_QUIET_SECONDS=1)
    instance.process.send_signal(sig)
    unready = eventually(lambda: (ready := instance.probe("/ready")).status == 503 and ready)
    answer = get(instance.port, "/api")

    assert unready.json()["checks"]["draining"] == {"ok": False, "detail": "draining"}
    assert instance.probe("/health").status == 200
    assert (answer.status, answer.headers["Connection"]) == (200, "close")
    assert instance.process.wait(60) == 0


def test_a_request_begun_before_the_signal_is_finished(start, get, eventually):
    """It was begun as keep-alive, and is answered with `Connection: close` all the same."""
    instance = start()
    answers = []
    path = "/api/v1/work?seconds=1.5"
    client = threading.Thread(target=lambda: answers.append(get(instance.port, path)))
    client.start()
    eventually(lambda: instance.metric("http_requests_in_flight{") == 1)
    assert instance.stop() == 0
    client.join()

    assert [(each.status, each.headers["Connection"]) for each in answers] == [(200, "close")]


def test_a_drain_ends_at_its_bound_and_says_what_it_cut_off(start, herd, eventually):
    """A request that never ends cannot keep an instance from stopping."""
    instance = start(PLATFORM_DRAIN_SECONDS=1)
    with herd([instance.port], clients=1, path="/api/v1/work?seconds=60") as clients:
        eventually(lambda: instance.metric("http_requests_in_flight{") == 1)
        exit_code = instance.stop()

    assert (exit_code, len(clients.lost)) == (0, 1)
    drained = instance.event("instance_drained")
    assert (drained["cut_off"], drained["level"]) == (1, "error")


def test_a_client_that_does_not_close_its_side_holds_up_nobody(start, get, eventually):
    """After the last answer the main loop goes on at once; the connection is closed in the background."""
    import socket

    instance = start()
    with socket.create_connection(("127.0.0.1", instance.port)) as stubborn:
        stubborn.sendall(b"GET /api HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        stubborn.settimeout(5)
        while stubborn.recv(4096):
            pass
        # gunicorn itself would wait two seconds here before it looks at the next connection.
        assert get(instance.port, "/api", timeout=1).status == 200
        eventually(lambda: instance.process.poll() is None and _refuses(stubborn))

    assert instance.stop() == 0


def _refuses(sock):
    """Whether the other side has closed for good: what is sent comes back as a reset."""
    try:
        sock.send(b"x")
    except (ConnectionResetError, BrokenPipeError):
        return True
    return False
