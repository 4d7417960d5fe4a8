"""Addresses and ports of the one-node cluster.

All of it is on a bridge of its own and on loopback: nothing listens where another machine could
reach it. What others ask for by address can be moved by an environment variable.
"""

from __future__ import annotations

import os
import socket
from dataclasses import dataclass, fields

from .failures import PartFailedError

LOOPBACK = "127.0.0.1"
BRIDGE = "deployer-pods"
NODE = (
    "10.244.0.1"  # the bridge's address: the node's, and the one by which pods reach this machine
)
PODS = "10.244.0.0/24"
SERVICES = "10.96.0.0/16"
API_SERVICE = "10.96.0.1"  # the first of the range is the API server's
DOCKER_BRIDGE = "deployer-docker"
DOCKER = "10.245.0.1/24"


@dataclass(frozen=True, slots=True)
class Ports:
    """Every port that is listened on, by the part that does."""

    public: int = 8080
    internal: int = 8081
    metrics: int = 8082
    registry: int = 5000
    api: int = 6443
    etcd: int = 2379
    etcd_peers: int = 2380
    kubelet: int = 10250
    kubelet_health: int = 10248
    proxy_health: int = 10256
    proxy_metrics: int = 10249
    controllers: int = 10257
    scheduler: int = 10259
    dns: int = 53
    metrics_server: int = 4443

    @classmethod
    def from_environment(cls) -> Ports:
        """Take `DEPLOYER_TEST_<NAME>_PORT` for every port that it is set for."""
        names = [field.name for field in fields(cls)]
        values = {name: os.environ.get(_variable(name), "") for name in names}
        return cls(**{name: int(value) for name, value in values.items() if value})

    @property
    def at(self) -> dict[str, tuple[str, ...]]:
        """The addresses on which a port is listened on; loopback when it is not named here."""
        on_bridge = ("api", "kubelet", "dns", "metrics", "internal", "metrics_server")
        places = dict.fromkeys((field.name for field in fields(self)), (LOOPBACK,))
        places |= dict.fromkeys(on_bridge, (NODE,))
        return places | {"internal": (NODE, LOOPBACK)}

    def require_free(self) -> None:
        """Raise PartFailedError with every port that somebody else listens on."""
        taken = [
            f"port {getattr(self, name)} ({name}) at {host} is taken;"
            f" stop what holds it, or set {_variable(name)}"
            for name, hosts in self.at.items()
            for host in hosts
            if _taken(host, getattr(self, name))
        ]
        if taken:
            raise PartFailedError("\n".join(taken))


def _variable(name: str) -> str:
    return f"DEPLOYER_TEST_{name.upper()}_PORT"


def _taken(host: str, port: int) -> bool:
    with socket.socket() as attempt:
        attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            attempt.bind((host, port))
        except OSError as refusal:
            return refusal.errno == 98  # EADDRINUSE; the bridge's address need not be there yet
    return False
