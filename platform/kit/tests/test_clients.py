"""Calls to other services: the path, the request id, the time-out, and one error for all that can go wrong."""

import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from flask import Blueprint

from platform_kit import ServiceClient, ServiceUnreachable

pytestmark = pytest.mark.integration


class Echo(BaseHTTPRequestHandler):
    """Answers with what it was asked."""

    protocol_version = "HTTP/1.1"

    def _answer(self):
        length = int(self.headers.get("Content-Length", 0))
        seen = {
            "method": self.command,
            "path": self.path,
            "body": self.rfile.read(length).decode(),
            "request_id": self.headers.get("X-Request-Id"),
            "extra": self.headers.get("X-Extra"),
        }
        body = json.dumps(seen).encode()
        self.send_response(503 if "broken" in self.path else 200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PUT = _answer  # noqa: N815 - the names http.server looks for

    def log_message(self, *_):
        """Say nothing."""


@pytest.fixture
def router():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Echo)
    server.daemon_threads = True
    server.block_on_close = False
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def client(router):
    client = ServiceClient(router, "product")
    yield client
    client.close()


@pytest.mark.parametrize("path", ["reservations/7", "/reservations/7"])
def test_a_call_goes_below_the_services_api(client, path):
    """The caller writes the path as the service has it, with or without the slash."""
    seen = client.request("PUT", path, json={"quantity": 2}, headers={"X-Extra": "yes"}).json()

    assert (seen["method"], seen["path"]) == ("PUT", "/product/api/v1/reservations/7")
    assert (json.loads(seen["body"]), seen["extra"]) == ({"quantity": 2}, "yes")


def test_the_request_id_is_passed_on(client, make_app):
    """One id from the customer to the last service."""
    routes = Blueprint("calls", __name__)
    routes.get("/call")(lambda: client.request("GET", "products").json())
    answer = make_app(routes).test_client().get("/api/v1/call", headers={"X-Request-Id": "r7"})

    assert answer.json["request_id"] == "r7"


def test_outside_of_a_request_there_is_no_id(client):
    """A sweeper calls too."""
    assert client.request("GET", "products").json()["request_id"] is None


def test_an_error_status_is_an_answer(client):
    """What it means is the caller's to say."""
    assert client.request("GET", "broken").status_code == 503


def test_a_refused_connection_is_unreachable():
    """Nobody listens there."""
    with pytest.raises(ServiceUnreachable, match=r"product cannot be reached: .*refused") as failed:
        ServiceClient("http://127.0.0.1:1", "product").request("GET", "products")

    assert failed.value.service == "product"


def test_silence_is_unreachable_after_the_time_out():
    """The connection is taken and nothing is said."""
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServiceUnreachable, match="timed out"):
            ServiceClient(url, "product", timeout_seconds=0.1).request("GET", "products")


def test_a_broken_answer_is_unreachable():
    """The connection ends in the middle."""
    with socket.create_server(("127.0.0.1", 0)) as server:

        def hang_up():
            connection, _ = server.accept()
            connection.recv(4096)
            connection.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}"
        with pytest.raises(ServiceUnreachable, match="disconnected"):
            ServiceClient(url, "product").request("PUT", "products/1")
        thread.join()


def test_a_proxy_of_the_environment_is_ignored(client, monkeypatch, router):
    """The platform's own traffic stays inside."""
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    inside = ServiceClient(router, "product")

    assert inside.request("GET", "products").status_code == 200
    inside.close()
