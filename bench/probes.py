"""What the probes of an instance cost when it is in trouble, beside what they cost when it is not.

Every worker thread blocked, with requests waiting behind them: how long `/health` takes, and when it says that this
is no life any more. The database hung (its processes are stopped): how much longer `/ready` takes, and when it says
so. Each probe is a connection of its own, as a kubelet's is. Prints one JSON object; takes about two minutes.

    python bench/probes.py
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path

import psutil
from shop import postgresql

from deployer.targets.local.ports import free_ports

SERVICES = Path(__file__).parents[1] / "platform" / "kit" / "tests" / "services"
THREADS = 8
WAITING = 16
PROBES = 1000
START_SECONDS = 30.0
LIMIT_SECONDS = 120.0
GOAL_P99_MS = 20.0
GOAL_DEAD_SECONDS = 60.0


def main() -> None:
    """Measure both and print them beside what they should be."""
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--probes", type=int, default=PROBES, help="of each kind")
    probes = arguments.parse_args().probes
    with postgresql() as (url, _), instance(url) as (port, admin_port):
        idle = {path: percentiles(admin_port, path, probes) for path in ("/health", "/ready")}
        with hung(url):
            ready = percentiles(admin_port, "/ready", probes)
            not_ready = seconds_until(admin_port, "/ready", 503)
        seconds_until(admin_port, "/ready", 200)
        began = time.monotonic()
        with blocked(port):
            health = percentiles(admin_port, "/health", probes)
            seconds_until(admin_port, "/health", 503)
            dead = time.monotonic() - began
    report = {
        "health": {"idle": idle["/health"], "blocked": health, "goal_p99_ms": GOAL_P99_MS},
        "dead_after_seconds": round(dead, 1),
        "goal_dead_after_seconds": GOAL_DEAD_SECONDS,
        "ready": {"idle": idle["/ready"], "hung": ready, "goal_added_ms": GOAL_P99_MS},
        "ready_added_p99_ms": round(ready["p99_ms"] - idle["/ready"]["p99_ms"], 2),
        "not_ready_within_seconds": round(not_ready, 1),
    }
    print(json.dumps(report, indent=2))


@contextmanager
def instance(url: str) -> Iterator[tuple[int, int]]:
    """Serve the kit's own test service; yield its port and that of its probes."""
    port, admin_port = free_ports(2)
    told = {
        "PYTHONPATH": str(SERVICES),
        "PLATFORM_PORT": str(port),
        "PLATFORM_ADMIN_PORT": str(admin_port),
        "PLATFORM_VERSION": "1.0.0",
        "PLATFORM_THREADS": str(THREADS),
        "PROBE_DATABASE_URL": url,
    }
    with tempfile.TemporaryFile() as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "platform_kit.serve", "probe"],
            env={**os.environ, **told},
            stderr=log,
            start_new_session=True,
        )
        try:
            seconds_until(admin_port, "/ready", 200, limit=START_SECONDS)
            yield port, admin_port
        finally:
            os.killpg(process.pid, signal.SIGKILL)  # its threads are blocked, some of them
            process.wait()


@contextmanager
def blocked(port: int) -> Iterator[None]:
    """Keep every thread busy, and requests waiting."""
    path = f"/api/v1/work?seconds={10 * LIMIT_SECONDS:g}"
    connections = [
        http.client.HTTPConnection("127.0.0.1", port, timeout=10) for _ in range(THREADS + WAITING)
    ]
    for connection in connections:
        connection.request("GET", path)
    time.sleep(1.0)  # until the worker has taken them in
    try:
        yield
    finally:
        for connection in connections:
            connection.close()


@contextmanager
def hung(url: str) -> Iterator[None]:
    """Stop all processes of the database: it takes connections, and answers nothing."""
    (postmaster,) = (
        process
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and folder_of(url) in process.info["cmdline"]
    )
    processes = [postmaster, *postmaster.children()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            with suppress(psutil.NoSuchProcess):
                process.resume()


def folder_of(url: str) -> str:
    """Return the folder of a server's data, which is on its command line and in its socket's address."""
    return url.rpartition("host=")[2]


def percentiles(admin_port: int, path: str, probes: int) -> dict[str, float]:
    """Probe again and again, and return the median and the 99th percentile in milliseconds."""
    times = []
    for _ in range(probes):
        began = time.perf_counter()
        status_of(admin_port, path)
        times.append((time.perf_counter() - began) * 1e3)
    return {
        "p50_ms": round(statistics.median(times), 2),
        "p99_ms": round(statistics.quantiles(times, n=100)[98], 2),
        "max_ms": round(max(times), 2),
    }


def seconds_until(
    admin_port: int, path: str, status: int, *, limit: float = LIMIT_SECONDS
) -> float:
    """Probe until a status comes, and return how long that took."""
    began = time.monotonic()
    while True:
        with suppress(OSError):
            if status_of(admin_port, path) == status:
                return time.monotonic() - began
        if time.monotonic() - began > limit:
            raise SystemExit(f"{path} never answered {status}")
        time.sleep(0.1)


def status_of(admin_port: int, path: str) -> int:
    """Probe once, over a connection of its own."""
    with closing(http.client.HTTPConnection("127.0.0.1", admin_port, timeout=10)) as connection:
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        return answer.status


if __name__ == "__main__":
    main()
