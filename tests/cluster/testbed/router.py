"""Traefik on this machine, as the controller of the GatewayClass `traefik`.

It sees pods by their own addresses, over the bridge, and listens on loopback for what customers ask
and on the bridge for what pods ask. Its times are those of the router of target `local`.
"""

from __future__ import annotations

import socket
import sysconfig
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import yaml

from deployer.targets.local.router import BUCKETS, IDLE_SECONDS

from .addresses import LOOPBACK, NODE, Ports
from .commands import wait_for
from .folders import Folders
from .parts import Parts

READY_SECONDS = 30


@dataclass(frozen=True, slots=True)
class Times:
    """How long Traefik collects changes before it serves by them: two waits, one after the other."""

    provider: str = "10ms"  # 2 s unless it is set
    gateway: str = "50ms"


def up(folders: Folders, parts: Parts, ports: Ports, *, times: Times = Times()) -> None:
    """Start Traefik, and return when it listens."""
    static = folders.state / "traefik.yaml"
    addresses = {
        "public": f"{LOOPBACK}:{ports.public}",
        "internal": f"{NODE}:{ports.internal}",
        "metrics": f"{NODE}:{ports.metrics}",
    }
    static.write_text(configuration(addresses, times))
    parts.start(
        "traefik",
        Path(sysconfig.get_path("scripts")) / "traefik",  # the wheel puts it beside the interpreter
        f"--configFile={static}",
        environment={"KUBECONFIG": str(folders.kubeconfig)},
    )
    wait_for(
        lambda: listening(LOOPBACK, ports.public) and listening(NODE, ports.metrics),
        "Traefik's ports",
        seconds=READY_SECONDS,
        while_=lambda: parts.require("traefik"),
    )


def listening(host: str, port: int) -> bool:
    """Whether somebody accepts connections there."""
    with suppress(OSError), socket.create_connection((host, port), timeout=1):
        return True
    return False


def configuration(addresses: dict[str, str], times: Times) -> str:
    """Return Traefik's static configuration with an address for each entry point."""
    idle = {"transport": {"respondingTimeouts": {"idleTimeout": "180s"}}}
    settings = {
        "global": {"checkNewVersion": False, "sendAnonymousUsage": False},
        "log": {"level": "INFO", "noColor": True},
        # A Gateway's listener finds its entry point by the port, so a port is one entry point.
        "entryPoints": {name: {"address": address, **idle} for name, address in addresses.items()},
        "providers": {
            "providersThrottleDuration": times.provider,
            "kubernetesGateway": {
                "throttleDuration": times.gateway,
                "statusAddress": {"hostname": "localhost"},
            },
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
                "entryPoint": "metrics",
                "buckets": list(BUCKETS),
                "addEntryPointsLabels": False,
                "addRoutersLabels": False,
                "addServicesLabels": True,
            }
        },
    }
    return yaml.safe_dump(settings, sort_keys=False)
