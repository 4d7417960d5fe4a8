"""A server that answers as it is told, and remembers what it was asked."""

from __future__ import annotations

import json
import threading
import time
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import TracebackType
from typing import Self


@dataclass(frozen=True, slots=True)
class Seen:
    """A request that came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a keep-alive connection would hold it


class Answering:
    """Says the same thing to every request until told otherwise."""

    def __init__(self) -> None:
        self.requests: list[Seen] = []
        self.seconds = 0.0
        self._status, self._body, self._headers = 200, b"{}", {}
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                ours.requests.append(Seen(self.command, self.path, dict(self.headers), body))
                time.sleep(ours.seconds)  # a slow answer is what is wanted
                self.send_response(ours._status)
                for name, value in ours._headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(ours._body)))
                self.end_headers()
                self.wfile.write(ours._body)

            do_GET = do_POST = do_PUT = answer  # noqa: N815  # the library's names

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def says(self, status: int, body: object, **headers: str) -> None:
        """Answer so from now on; bytes as they are, all else as JSON."""
        self._status = status
        self._body = body if isinstance(body, bytes) else json.dumps(body).encode()
        self._headers = {name.replace("_", "-"): value for name, value in headers.items()}

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
