"""The admin port: health, readiness and metrics, answered by a thread of its own while all others are busy."""

from __future__ import annotations

import errno
import json
import threading
import time
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from platform_kit.errors import PortTaken
from platform_kit.instance import Instance

# A client that connects and says nothing gets this long; it holds up nobody else.
CLIENT_SECONDS = 5.0
RETRY_SECONDS = 0.05

JSON = "application/json"
TEXT = "text/plain; version=0.0.4; charset=utf-8"

Answer = tuple[int, str, bytes]


def answer(instance: Instance, path: str) -> Answer:
    """Return status, content type and body for a path of the admin port."""
    match path.partition("?")[0]:
        case "/health":
            return _health(instance)
        case "/ready":
            return _ready(instance)
        case "/metrics":
            return 200, TEXT, instance.metrics.exposition()
        case _:
            return _json(404, {"error": "only /health, /ready and /metrics are here"})


class AdminServer:
    """The open admin port of an instance."""

    def __init__(self, instance: Instance, *, rebind_seconds: float = 0.0) -> None:
        """Bind; for `rebind_seconds` wait for a worker that ends to let go of the port."""
        settings = instance.settings
        self._server = _bound(instance, time.monotonic() + rebind_seconds)
        self.host, self.port = settings.host, int(self._server.server_address[1])
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.1,), name="admin", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Close the port."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Threads are daemons: nobody waits for a client that says nothing.
    block_on_close = False
    request_queue_size = 64
    instance: Instance


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    timeout = CLIENT_SECONDS
    server_version = "platform"
    sys_version = ""

    def do_GET(self) -> None:
        status, content_type, body = answer(self.server.instance, self.path)
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:  # noqa: ANN401 - http.server's own signature
        """Log nothing: probes come every second."""


def _bound(instance: Instance, deadline: float) -> _Server:
    host, port = instance.settings.host, instance.settings.admin_port
    while True:
        try:
            server = _Server((host, port), _Handler)
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            if time.monotonic() > deadline:
                raise PortTaken("PLATFORM_ADMIN_PORT", host=host, port=port) from error
            time.sleep(RETRY_SECONDS)
        else:
            server.instance = instance
            return server


def _health(instance: Instance) -> Answer:
    load = instance.activity.load()
    if load.alive:
        return _json(200, {"status": "ok"})
    return _json(
        503,
        {
            "status": "stalled",
            "waiting": load.waiting,
            "running": load.running,
            "stalled_seconds": round(load.stalled_seconds, 1),
        },
    )


def _ready(instance: Instance) -> Answer:
    results = instance.readiness.results()
    ready = all(result.ok for result in results.values())
    checks = {name: asdict(result) for name, result in results.items()}
    return _json(200 if ready else 503, {"ready": ready, "checks": checks})


def _json(status: int, body: dict[str, object]) -> Answer:
    return status, JSON, json.dumps(body).encode()
