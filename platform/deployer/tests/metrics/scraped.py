"""A server of pages that the scraping source reads: the router's and the instances'."""

from __future__ import annotations

import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from deployer.metrics import Instance


class Pages:
    """A server of pages that a test may change: path -> (status, body)."""

    def __init__(self) -> None:
        self.pages: dict[str, tuple[int, str]] = {}
        self.hung: set[str] = set()
        self.asked: list[tuple[str, str | None]] = []
        self._closed = threading.Event()
        ours, pages = self, self.pages

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                ours.asked.append((self.path, self.headers["Authorization"]))
                if self.path in ours.hung:
                    ours._closed.wait()
                status, body = pages.get(self.path, (404, ""))
                self.send_response(status)
                self.end_headers()
                self.wfile.write(body.encode())

            def log_message(self, *_: object) -> None:
                """Be quiet."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}"
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()

    def close(self) -> None:
        """Free the port."""
        self._closed.set()
        self.server.shutdown()
        self.server.server_close()

    def route(
        self,
        path: str = "/metrics",
        *,
        blue: tuple[int, int, int, int] = (0, 0, 0, 0),
        green: tuple[int, int, int, int],
        label: str = "product-{slot}@file",
        began: float | None = None,
    ) -> None:
        """Write the router's page: requests, failed, slow, refused of each slot."""
        lines = [] if began is None else [f"process_start_time_seconds {began}"]
        for slot, (requests, failed, slow, refused) in (("blue", blue), ("green", green)):
            codes = (("200", requests - failed - refused), ("500", failed), ("404", refused))
            service = f'service="{label.format(slot=slot)}"'
            lines += [
                f'traefik_service_requests_total{{code="{code}",{service}}} {count}'
                for code, count in codes
            ]
            seconds = "traefik_service_request_duration_seconds"
            lines.append(f'{seconds}_bucket{{code="200",{service},le="1"}} {requests - slow}')
            lines.append(f'{seconds}_bucket{{code="200",{service},le="+Inf"}} {requests}')
            lines.append(f'{seconds}_count{{code="200",{service}}} {requests}')
        self.pages[path] = (200, "\n".join(lines))

    def tell(
        self,
        name: str,
        *,
        healthy: bool = True,
        memory: float = 0.1,
        cpu: float = 0.1,
        slow: int = 0,
        orders: tuple[int, int] | None = None,
    ) -> Instance:
        """Write an instance's admin pages, and return it."""
        labels = '{service="product",slot="green",version="1.0.0"}'
        page = (
            f"# TYPE process_memory_share gauge\n"
            f"process_memory_share{labels} {memory}\nprocess_cpu_share{labels} {cpu}\n"
            f"http_requests_in_flight{labels} 9\nhttp_requests_in_flight_slow{labels} {slow}.0\n"
        )
        for which, count in zip(("attempts", "successes"), orders or (), strict=False):
            page += f'business_{which}_total{{service="product",name="orders"}} {count}.0\n'
        self.pages[f"/{name}/health"] = (200 if healthy else 503, "{}")
        self.pages[f"/{name}/metrics"] = (200, page)
        return Instance(f"{self.url}/{name}", since=100.0)
