"""An API server on paper: objects by path, and an identity with some rights. Real HTTP, a real kubeconfig."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from types import TracebackType
from typing import Any, Self

REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False  # a keep-alive connection would hold it


class ApiServer:
    """Answers each path with what `pages` has there, and reviews of access by `forbidden`.

    `forbidden` has (namespace, verb, resource); `reviews` is what was asked about.
    """

    def __init__(self) -> None:
        self.pages: dict[str, object] = {}
        self.forbidden: set[tuple[str, str, str]] = set()
        self.reviews: list[dict[str, Any]] = []
        ours = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                status, page = ours._page(self.path.partition("?")[0], body)
                data = page if isinstance(page, bytes) else json.dumps(page).encode()
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = answer  # noqa: N815  # the library's names

            def log_message(self, *_arguments: object) -> None:
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))

    @property
    def address(self) -> str:
        """Host and port."""
        return f"127.0.0.1:{self._server.server_port}"

    def kubeconfig(self, path: Path) -> Path:
        """Write a kubeconfig whose current context is this server."""
        server = {"name": "paper", "cluster": {"server": f"http://{self.address}"}}
        context = {"name": "paper", "context": {"cluster": "paper", "user": "nobody"}}
        whole = {
            "clusters": [server],
            "contexts": [context],
            "users": [{"name": "nobody", "user": {}}],
            "current-context": "paper",
        }
        path.write_text(json.dumps(whole))
        return path

    def _page(self, path: str, body: bytes) -> tuple[int, object]:
        if path == REVIEWS:
            asked = json.loads(body)["spec"]["resourceAttributes"]
            self.reviews.append(asked)
            parts = [part for part in (asked["resource"], asked["subresource"]) if part]
            named = (asked["namespace"], asked["verb"], "/".join(parts))
            return 201, {"status": {"allowed": named not in self.forbidden}}
        if path not in self.pages:
            return 404, {"message": f"{path} not found"}
        page = self.pages[path]
        return page if isinstance(page, tuple) else (200, page)

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
