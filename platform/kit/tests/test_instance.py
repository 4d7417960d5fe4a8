"""An instance as processes: master, worker, admin port, and what happens when one of them dies."""

import os
import signal
import socket
from pathlib import Path

import psutil
import pytest

pytestmark = pytest.mark.integration

MEBIBYTE = 1024 * 1024


def mapped_files(process):
    """The names of the files that a process has in memory: its shared libraries."""
    return {Path(file.path).name for file in process.memory_maps()}


def test_an_instance_says_who_it_is(start, get):
    """GET /api is cheap, and every answer is signed."""
    instance = start(PLATFORM_SLOT="green")
    answer = get(instance.port, "/api")

    assert answer.json() == {"service": "probe", "version": "1.1.0", "slot": "green"}
    assert answer.headers["X-Served-By"] == "probe@1.1.0 (green)"


def test_connections_are_kept_longer_than_the_router_keeps_them(start):
    """Two requests on one connection; the router's idle time-out of 30 s must come first."""
    import http.client

    from platform_kit.serve import KEEPALIVE_SECONDS

    instance = start()
    connection = http.client.HTTPConnection("127.0.0.1", instance.port, timeout=5)
    for _ in range(2):
        connection.request("GET", "/api")
        answer = connection.getresponse()
        answer.read()
        assert not answer.will_close
    connection.close()

    assert KEEPALIVE_SECONDS > 30


def test_the_admin_port_answers_when_every_thread_is_busy(start, herd, eventually):
    """Two threads, six long requests: probes and metrics do not queue behind them."""
    instance = start(PLATFORM_THREADS=2, PLATFORM_QUIET_SECONDS=0, PLATFORM_DRAIN_SECONDS=1)
    with herd([instance.port], clients=6, path="/api/v1/work?seconds=30"):
        eventually(lambda: instance.metric("http_requests_waiting") == 4)

        assert instance.metric("http_requests_in_flight{") == 2
        assert instance.probe("/health").status == 200
        assert instance.probe("/ready").status == 200
        eventually(lambda: instance.metric("http_requests_in_flight_slow") == 2)
        instance.kill()


def test_a_killed_worker_is_replaced_and_takes_the_admin_port_again(start, eventually):
    """The port is free when its owner dies, and the new worker is ready on it."""
    instance = start()
    first = instance.worker()
    first.kill()
    eventually(lambda: instance.is_ready() and instance.worker().pid != first.pid)

    assert instance.stop() == 0
    assert instance.probe("/ready") is None


def test_a_worker_without_its_master_ends_and_frees_both_ports(start, eventually):
    """A `kill -9` of the master leaves nothing behind that the next instance would run into."""
    instance = start()
    worker = instance.worker()
    instance.process.kill()
    eventually(lambda: not worker.is_running() or worker.status() == psutil.STATUS_ZOMBIE)

    for port in (instance.port, instance.admin_port):
        with socket.socket() as free:
            free.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            free.bind(("127.0.0.1", port))


def test_signals_that_would_change_the_workers_are_refused(start, eventually):
    """An instance has one worker: scale is by instances."""
    instance = start()
    worker = instance.worker()
    for sig in (signal.SIGTTIN, signal.SIGTTOU, signal.SIGUSR2, signal.SIGWINCH):
        instance.process.send_signal(sig)
    eventually(lambda: [e["event"][:7] for e in instance.events()].count("Ignored") == 4)

    assert worker == instance.worker()
    assert instance.stop() == 0


def test_only_the_worker_imports_the_service(start, database_url):
    """The master stays small: it has not loaded psycopg, nor the service."""
    instance = start(PROBE_DATABASE_URL=database_url)
    master = mapped_files(psutil.Process(instance.process.pid))
    worker = mapped_files(instance.worker())

    assert any("libpq" in name for name in worker)
    assert not any("libpq" in name for name in master)


def test_an_instance_fits_in_110_mb(start, get, database_url, monkeypatch):
    """Master and worker together, as proportional memory, after some traffic."""
    for name in [name for name in os.environ if name.startswith("COVERAGE")]:
        monkeypatch.delenv(name)  # the measuring of lines is no part of an instance
    instance = start(PROBE_DATABASE_URL=database_url)
    for _ in range(50):
        get(instance.port, "/api/v1/work?seconds=0")
    parts = [psutil.Process(instance.process.pid), instance.worker()]
    used = sum(part.memory_full_info().pss for part in parts)

    assert 30 * MEBIBYTE < used < 110 * MEBIBYTE
    assert instance.metric("process_memory_share") == pytest.approx(used / 256 / MEBIBYTE, rel=0.1)


def test_gunicorn_leaves_no_file_behind(start, tmp_path):
    """No control socket, no pid file, no heartbeat file: neither at home nor in the temporary folder."""
    home = tmp_path / "home"
    home.mkdir()
    instance = start(HOME=home, TMPDIR=home, XDG_RUNTIME_DIR=home)
    before_the_end = list(home.rglob("*"))
    instance.stop()

    assert (before_the_end, list(home.rglob("*"))) == ([], [])


def test_every_line_of_the_log_is_json_and_says_who_wrote_it(start, get):
    """Lines of gunicorn and the kit's have the same keys."""
    instance = start()
    get(instance.port, "/api")
    instance.stop()
    lines = instance.log.read_text().splitlines()

    assert len(lines) == len(instance.events())
    assert all(
        {"event", "level", "timestamp", "service", "version", "slot", "source"} <= set(event)
        for event in instance.events()
    )
    assert {"gunicorn.error", "platform_kit.requests"} <= {e["source"] for e in instance.events()}
