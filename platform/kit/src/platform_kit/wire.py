"""An HTTP client that gives up in time, whatever the other side does.

httpx's time-outs are for one read each, "for a chunk of data to be received" (https://www.python-httpx.org/advanced/timeouts/):
who sends a byte a second is never late. Here every operation on the socket gets what is left until the current deadline, and
an answer has an end. `_pool` is the one private name that is used: httpx takes no network backend, httpcore does; the
test with the dripping server fails if that should change.
"""

from __future__ import annotations

import ssl
from collections.abc import Iterable, Iterator
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import httpcore
import httpx

from platform_kit import deadline

CONNECT_SECONDS = 1.0
# A page of a hundred products is some 20 kB.
MAX_ANSWER_BYTES = 4 * 1024 * 1024


def open_client(*, connections: int, timeout_seconds: float, secure: bool) -> httpx.Client:
    """Return a client that keeps up to `connections` open; each call wants a deadline around it."""
    client = httpx.Client(
        transport=_Transport(connections, secure=secure),
        timeout=httpx.Timeout(timeout_seconds, connect=min(CONNECT_SECONDS, timeout_seconds)),
        trust_env=False,  # a proxy from the environment has no business inside the platform
    )
    # One customer's cookie must not go out with the next one's call.
    client.cookies.jar.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    return client


class _Transport(httpx.HTTPTransport):
    def __init__(self, connections: int, *, secure: bool) -> None:
        # Without https there is no use in loading the system's certificates: 5 MB, 20 ms.
        super().__init__(verify=secure, trust_env=False)
        self._pool = httpcore.ConnectionPool(
            ssl_context=ssl.create_default_context() if secure else None,
            max_connections=connections,
            max_keepalive_connections=connections,
            keepalive_expiry=5.0,  # httpx's own
            network_backend=_Backend(),
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        answer = super().handle_request(request)
        if isinstance(answer.stream, httpx.SyncByteStream):
            answer.stream = _Bounded(answer.stream)
        return answer


class _Bounded(httpx.SyncByteStream):
    """An answer's body that ends, or is an error."""

    def __init__(self, stream: httpx.SyncByteStream) -> None:
        self._stream = stream

    def __iter__(self) -> Iterator[bytes]:
        size = 0
        for part in self._stream:
            size += len(part)
            if size > MAX_ANSWER_BYTES:
                raise httpx.RemoteProtocolError(f"the answer is above {MAX_ANSWER_BYTES} bytes")
            yield part

    def close(self) -> None:
        self._stream.close()


class _Stream(httpcore.NetworkStream):
    def __init__(self, stream: httpcore.NetworkStream) -> None:
        self._stream = stream

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._stream.read(max_bytes, _left(timeout, httpcore.ReadTimeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._stream.write(buffer, _left(timeout, httpcore.WriteTimeout))

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(self._stream.start_tls(ssl_context, server_hostname, timeout))

    def get_extra_info(self, info: str) -> Any:  # noqa: ANN401 - httpcore's signature
        return self._stream.get_extra_info(info)


class _Backend(httpcore.SyncBackend):
    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        timeout = _left(timeout, httpcore.ConnectTimeout)
        return _Stream(super().connect_tcp(host, port, timeout, local_address, socket_options))


def _left(timeout: float | None, error: type[httpcore.TimeoutException]) -> float | None:
    if timeout is None:
        return None
    left = deadline.remaining_seconds(timeout)
    if left <= 0:
        raise error("the deadline has passed")
    return left
