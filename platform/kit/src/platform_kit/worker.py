"""The gunicorn worker that knows its queue, and loses no request when it stops.

On SIGTERM it goes on accepting and answers everything with `Connection: close`, so that clients go elsewhere one by
one. When nothing new has come for the quiet time (or most of the drain's time is over) it shuts the door, takes what
is still in the backlog, finishes, and ends. A time of 0 switches all that off: a negative control for tests.
"""

from __future__ import annotations

import signal
import socket
import time
from collections.abc import Callable, Iterable
from functools import partial
from selectors import EVENT_READ
from typing import TYPE_CHECKING, Any, cast

from gunicorn.errors import AppImportError
from gunicorn.workers.gthread import TConn, ThreadWorker

from platform_kit import door
from platform_kit.deadline import queued
from platform_kit.errors import KitError
from platform_kit.liveness import Activity

if TYPE_CHECKING:
    from concurrent.futures import Future

    from flask import Flask

    from platform_kit.serving import Serving

# How often the drain looks whether it is quiet.
TURN_SECONDS = 0.05
# For handshakes under way when the door is shut: a round trip in one datacentre takes below 1 ms.
HANDSHAKE_SECONDS = 0.05
# The rest of the drain's time is for finishing what was taken in.
QUIET_SHARE = 0.8
# A client that does not close after its last answer is closed after this, as gunicorn does (RFC 9112, 9.6).
LINGER_SECONDS = 2.0

Wsgi = Callable[[dict[str, Any], Callable[..., Any]], Iterable[bytes]]


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """A client's connection. Unlike gunicorn's, its close never holds up the main loop."""

    worker: DrainingWorker
    queued_at = 0.0

    def close(self, graceful: bool = False) -> None:  # noqa: FBT001, FBT002 - gunicorn's signature
        """Close now, or with `graceful` once the client has seen the end of the answer."""
        if graceful:
            self.worker.linger(self.sock)
        else:
            super().close()


class DrainingWorker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """gunicorn's threaded worker with a known queue, an admin port and a drain."""

    serving: Serving
    activity: Activity
    wsgi: Wsgi
    alive: bool

    def init_signals(self) -> None:
        """Leave Ctrl-C, which reaches the whole process group, to the master."""
        super().init_signals()
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def load_wsgi(self) -> None:
        """Make the app and open the admin port; what is wrong with either ends the instance."""
        from platform_kit.serving import Serving  # noqa: PLC0415 - Flask and all: not the master's

        try:
            super().load_wsgi()
            self.serving = Serving(cast("Flask", self.wsgi), master_pid=self.ppid)
        except KitError as error:
            raise AppImportError(str(error)) from error
        self.activity = self.serving.activity
        self.lingering: dict[socket.socket, float] = {}
        self.wsgi = partial(self._closing, self.wsgi)

    def handle_exit(self, sig: int, frame: object) -> None:
        """Begin the drain. Runs between any two instructions of the main thread: takes no lock."""
        if hasattr(self, "activity"):  # else the app is still being made
            self.activity.draining = True
        super().handle_exit(sig, frame)

    def run(self) -> None:
        """Serve until told to stop, then drain."""
        self.poller.register(
            self.method_queue.fileno(), EVENT_READ, self.method_queue.run_callbacks
        )
        self.set_accept_enabled(enabled=True)
        self.serving.start()
        while self.alive and self.is_parent_alive():
            self.set_accept_enabled(enabled=self.nr_conns < self.worker_connections)
            self._turn(1.0)
            self.murder_keepalived()
            self.murder_pending()
        orphaned = self.alive
        self.alive = False
        self._drain(orphaned=orphaned)
        self.serving.stop()

    def enqueue_req(self, conn: Connection) -> None:
        """Queue a connection that may have a request to read."""
        self.activity.arrived()
        conn.queued_at = time.monotonic()
        super().enqueue_req(conn)

    def handle(self, conn: Connection) -> object:
        """Answer a request; runs in a thread of the pool."""
        self.activity.started()
        queued.set(time.monotonic() - conn.queued_at)
        return super().handle(conn)

    def finish_request(self, conn: Connection, future: Future[object]) -> None:
        """Keep, close or queue again the connection that a thread is done with."""
        self.activity.finished()
        super().finish_request(conn, future)

    def accept(self, listener: socket.socket) -> None:
        """Take one connection from the backlog."""
        self._take(listener)

    def linger(self, sock: socket.socket) -> None:
        """Half-close a connection, and close it when the client has done the same."""
        try:
            sock.shutdown(socket.SHUT_WR)
            sock.settimeout(0)
            self.poller.register(sock, EVENT_READ, self._read_rest)
        except OSError:  # the client was faster
            sock.close()
        else:
            self.lingering[sock] = time.monotonic() + LINGER_SECONDS

    def _closing(
        self, app: Wsgi, environ: dict[str, Any], start_response: Callable[..., Any]
    ) -> Iterable[bytes]:
        def start(*args: Any) -> Any:  # noqa: ANN401 - WSGI's
            if not self.alive:  # also for a request that began before the drain
                start_response.__self__.force_close()  # type: ignore[attr-defined]
            return start_response(*args)

        return app(environ, start)

    def _drain(self, *, orphaned: bool) -> None:
        settings = self.serving.settings
        begun = time.monotonic()
        deadline = begun + settings.drain_seconds
        if settings.quiet_seconds and settings.drain_seconds:
            if not orphaned:  # without a master the port is wanted by the next instance
                self._await_quiet(begun, settings.quiet_seconds, settings.drain_seconds)
            self._last_call()
        self.set_accept_enabled(enabled=False)
        self._finish(deadline)
        self.serving.drained(time.monotonic() - begun)
        self._close_all()

    def _await_quiet(self, begun: float, quiet_seconds: float, drain_seconds: float) -> None:
        self.set_accept_enabled(enabled=True)
        self.activity.drain()
        while (
            self.activity.quiet_seconds() < quiet_seconds
            and time.monotonic() - begun < drain_seconds * QUIET_SHARE
        ):
            self._turn(min(TURN_SECONDS, quiet_seconds))

    def _last_call(self) -> None:
        shut_at = time.monotonic()
        shut = [door.shut(listener) for listener in self.sockets]
        if all(shut):
            while time.monotonic() - shut_at < HANDSHAKE_SECONDS:
                self._turn(HANDSHAKE_SECONDS / 5)
        self.set_accept_enabled(enabled=False)
        for listener in self.sockets:
            while self._take(listener):
                pass
            listener.close()

    def _finish(self, deadline: float) -> None:
        """Answer what was taken in, and what has come on kept connections meanwhile."""
        while time.monotonic() < deadline:
            self._turn(0.0)
            if not self.activity.load().in_flight:
                return
            self._turn(TURN_SECONDS)

    def _close_all(self) -> None:
        for listener in self.sockets:
            listener.close()
        for conn in (*self.keepalived_conns, *self.pending_conns):
            conn.close()
        for sock in self.lingering:
            sock.close()
        # Past the bound: else the interpreter would run the queue to its end before it exits.
        self.tpool.shutdown(wait=False, cancel_futures=True)
        self.poller.close()
        self.method_queue.close()

    def _turn(self, timeout: float) -> None:
        self.notify()
        self.wait_for_and_dispatch_events(timeout)
        now = time.monotonic()
        for sock in [sock for sock, until in self.lingering.items() if until < now]:
            self._forget(sock)

    def _take(self, listener: socket.socket) -> bool:
        try:
            sock, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return False
        self.nr_conns += 1
        connection = Connection(self.cfg, sock, address, listener.getsockname())
        connection.worker = self
        self.enqueue_req(connection)
        return True

    def _read_rest(self, sock: socket.socket) -> None:
        try:
            rest = sock.recv(4096)
        except BlockingIOError:
            return
        except OSError:
            rest = b""
        if not rest:
            self._forget(sock)

    def _forget(self, sock: socket.socket) -> None:
        self.poller.unregister(sock)
        del self.lingering[sock]
        sock.close()
