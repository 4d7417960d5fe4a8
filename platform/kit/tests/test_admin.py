"""The admin port: three paths, and nothing that a client does can block it."""

import json
import socket

import pytest

from platform_kit import start_background
from platform_kit.admin import AdminServer, answer
from platform_kit.errors import PortTaken
from platform_kit.instance import Instance

pytestmark = pytest.mark.integration


@pytest.fixture
def instance(make_app):
    return Instance.of(make_app())


@pytest.fixture
def admin(instance):
    server = AdminServer(instance)
    yield server
    server.close()


def test_the_three_paths_are_answered(admin, get, instance):
    """With a query string too: probes add them."""
    instance.readiness.started = True
    health, ready = get(admin.port, "/health?x=1"), get(admin.port, "/ready")

    assert (health.status, health.json()) == (200, {"status": "ok"})
    assert ready.status == 200
    assert ready.json() == {
        "ready": True,
        "checks": {
            "started": {"ok": True, "detail": "started"},
            "draining": {"ok": True, "detail": "not draining"},
        },
    }
    assert get(admin.port, "/metrics").headers["Content-Type"].startswith("text/plain")


def test_nothing_else_is_there(admin, get):
    """In particular not the service's routes, and nothing can be written."""
    with socket.create_connection(("127.0.0.1", admin.port)) as client:
        client.sendall(b"POST /ready HTTP/1.0\r\n\r\n")
        refused = client.recv(100)

    assert get(admin.port, "/api").status == 404
    assert b" 501 " in refused


def test_it_is_not_ready_before_it_has_started(admin, get):
    """The port is open before the worker takes requests."""
    answered = get(admin.port, "/ready")

    assert (answered.status, answered.json()["ready"]) == (503, False)
    assert answered.json()["checks"]["started"] == {"ok": False, "detail": "starting"}


def test_a_stalled_process_says_what_it_sees(instance, monkeypatch):
    """Requests wait and none has finished for a minute: this is what a restart is for."""
    instance.activity.arrived()
    instance.activity.arrived()
    instance.activity.started()
    now = instance.activity._clock()
    monkeypatch.setattr(instance.activity, "_clock", lambda: now + 61)
    status, _, body = answer(instance, "/health")

    assert status == 503
    assert json.loads(body).items() >= {"status": "stalled", "waiting": 1, "running": 1}.items()


def test_silent_clients_hold_up_nobody(admin, get):
    """Fifty connections that say nothing, and a probe between them."""
    silent = [socket.create_connection(("127.0.0.1", admin.port)) for _ in range(50)]
    status = get(admin.port, "/health", timeout=2).status
    for client in silent:
        client.close()

    assert status == 200


def test_a_closed_port_can_be_bound_again_at_once(instance, get):
    """Ten times in a row, with a client each time."""
    first = AdminServer(instance)
    port = first.port
    first.close()
    settings = instance.settings.model_copy(update={"admin_port": port})
    again = Instance(
        **{name: getattr(instance, name) for name in Instance.__slots__} | {"settings": settings}
    )
    for _ in range(10):
        server = AdminServer(again)
        assert get(port, "/health").status == 200
        server.close()


def test_a_taken_port_is_named(make_app, settings, admin):
    """After waiting for a dying worker for as long as asked."""
    taken = settings.model_copy(update={"admin_port": admin.port})
    with pytest.raises(PortTaken, match="PLATFORM_ADMIN_PORT") as refused:
        AdminServer(Instance.of(make_app(settings=taken)), rebind_seconds=0.1)

    assert refused.value.port == admin.port


def test_an_address_that_is_not_here_is_no_taken_port(make_app, settings):
    """192.0.2.0/24 is nobody's: the system's own error says more."""
    elsewhere = settings.model_copy(update={"host": "192.0.2.1"})
    with pytest.raises(OSError, match="assign"):
        AdminServer(Instance.of(make_app(settings=elsewhere)))


def test_readiness_follows_the_background(make_app):
    """The same answer without a port, as services' tests use it."""
    app = make_app()
    before = answer(Instance.of(app), "/ready")[0]
    with start_background(app):
        after = answer(Instance.of(app), "/ready")[0]

    assert (before, after) == (503, 200)
