"""What the kit costs a request: bare Flask, Flask with prometheus-flask-exporter, Flask with the kit.

All under the same server, gunicorn with one worker of threads, asked in turn over kept connections. The processor
time of a worker, divided by the requests it answered, says what an answer costs; other processes of the machine
are not in it. Then the product list beside a bare view with the same query. The apps are asked in turn, in many short
rounds, and compared within each: a machine that is slow for some seconds is slow for all of them. Prints one JSON
object, of medians: microseconds, and requests a second.

    python -m pip install prometheus-flask-exporter && python bench/kit.py
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from operator import sub, truediv
from pathlib import Path

import psutil
from shop import postgresql

from platform_kit import Database
from product import inventory

HERE = Path(__file__).parent
ROUNDS = 40
CLIENTS = 4
PRODUCTS = 100
APPS = ("bare", "exporter", "kit")
LISTS = ("bare_list", "product_list")
GOAL_ADDED_MICROSECONDS = 60.0
GOAL_SHARE = 0.85
START_SECONDS = 30.0


@dataclass(slots=True)
class Server:
    """One gunicorn, and what its worker used for what it answered."""

    port: int
    path: str
    master: psutil.Process
    microseconds: list[float] = field(default_factory=list)
    per_second: list[float] = field(default_factory=list)

    def used(self) -> float:
        """Return the processor time of the worker's threads until now, in seconds.

        As the scheduler counts it, in nanoseconds (Linux): psutil's is in hundredths of a second.
        """
        threads = [
            thread
            for child in self.master.children()
            for thread in Path(f"/proc/{child.pid}/task").iterdir()
        ]
        return sum(int((thread / "schedstat").read_text().split()[0]) for thread in threads) / 1e9

    def measure(self, requests: int) -> None:
        """Ask so many times, from all clients together."""
        used, began = self.used(), time.perf_counter()
        share = requests // CLIENTS
        clients = [threading.Thread(target=ask, args=(self, share)) for _ in range(CLIENTS)]
        for client in clients:
            client.start()
        for client in clients:
            client.join()
        took = time.perf_counter() - began
        self.microseconds.append((self.used() - used) / (share * CLIENTS) * 1e6)
        self.per_second.append(share * CLIENTS / took)


def ask(server: Server, times: int) -> None:
    """Ask again and again over one connection; anything but 200 is an error."""
    request = f"GET {server.path} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
    with socket.create_connection(("127.0.0.1", server.port), timeout=30) as connection:
        reader = connection.makefile("rb")
        for _ in range(times):
            connection.sendall(request)
            status, length = reader.readline(), 0
            while (line := reader.readline()) not in {b"\r\n", b""}:
                name, _, value = line.partition(b":")
                if name.lower() == b"content-length":
                    length = int(value)
            reader.read(length)
            if b" 200 " not in status:
                raise SystemExit(f"{server.path} answered {status!r}")


@contextmanager
def served(app: str, path: str, environment: Mapping[str, str], log: Path) -> Iterator[Server]:
    """Serve one of the apps beside this file, as all of them are served."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    words = (
        "-m", "gunicorn", f"kit_apps:{app}()", "--chdir", str(HERE), "--bind", f"127.0.0.1:{port}",
        "--worker-class", "gthread", "--threads", "8", "--keep-alive", "60", "--no-control-socket",
    )  # fmt: skip
    with log.open("w") as file:
        process = subprocess.Popen(
            [sys.executable, *words],
            env={**os.environ, **environment, "PYTHONPATH": str(HERE)},
            stdout=file,
            stderr=file,
        )
    try:
        server = Server(port, path, psutil.Process(process.pid))
        await_port(server, log)
        ask(server, 200)  # warm
        yield server
    finally:
        process.terminate()
        process.wait()


def await_port(server: Server, log: Path) -> None:
    """Return when the server listens and its worker is there."""
    deadline = time.monotonic() + START_SECONDS
    while True:
        try:
            return ask(server, 1)
        except OSError:
            if time.monotonic() > deadline or not server.master.is_running():
                raise SystemExit(log.read_text()) from None
            time.sleep(0.1)


def compared(
    apps: Sequence[str], path: str, *, requests: int, environment: Mapping[str, str]
) -> dict[str, Server]:
    """Serve all of the apps at once, ask each in turn, again and again."""
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        servers = {
            app: stack.enter_context(served(app, path, environment, folder / f"{app}.log"))
            for app in apps
        }
        for _ in range(ROUNDS):
            for server in servers.values():
                server.measure(requests)
    return servers


@contextmanager
def catalogue() -> Iterator[dict[str, str]]:
    """Start a database with some products; yield the settings of who reads it."""
    with postgresql() as (url, _):
        environment = {"PRODUCT_DATABASE_URL": url, "PRODUCT_ROUTER_URL": "http://127.0.0.1:9"}
        subprocess.run(
            [sys.executable, "-m", "platform_kit.migrations", "product", "--phase", "expand"],
            env={**os.environ, **environment},
            check=True,
            capture_output=True,
        )
        add_products(url)
        yield environment


def add_products(url: str) -> None:
    """Put some products on the shelf."""
    database = Database(url)
    for number in range(PRODUCTS):
        inventory.add(
            database,
            sku=f"thing-{number}",
            name=f"Thing {number}",
            price_cents=1250,
            stock=number,
            description="What it is good for, in a sentence of some length.",
        )
    database.dispose()


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--requests", type=int, default=500, help="in each of the rounds")
    requests = parser.parse_args().requests
    apps = [app for app in APPS if app != "exporter" or find_spec("prometheus_flask_exporter")]
    flags = {"PLATFORM_FLAGS_FILE": str(HERE / "kit_flags.json")}
    views = compared(apps, "/api/v2/things", requests=requests, environment=flags)
    with catalogue() as environment:
        lists = compared(
            LISTS, "/api/v2/products?limit=20", requests=requests, environment=environment
        )
    bare = views["bare"].microseconds
    added = {
        app: statistics.median(map(sub, server.microseconds, bare))
        for app, server in views.items()
        if app != "bare"
    }
    bare_list, product_list = (lists[app].per_second for app in LISTS)
    figures = {
        "rounds": ROUNDS,
        "requests": requests,
        "microseconds": {
            app: round(statistics.median(server.microseconds), 1) for app, server in views.items()
        },
        "added_microseconds": {app: round(each, 1) for app, each in added.items()},
        "goal_added_microseconds": GOAL_ADDED_MICROSECONDS,
        "lists_per_second": {
            app: round(statistics.median(server.per_second)) for app, server in lists.items()
        },
        "list_share": round(statistics.median(map(truediv, product_list, bare_list)), 3),
        "goal_list_share": GOAL_SHARE,
        "python": platform.python_version(),
        "machine": platform.machine(),
    }
    print(json.dumps(figures, indent=2))


if __name__ == "__main__":
    main()
