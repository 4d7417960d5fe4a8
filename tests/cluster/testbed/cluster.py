"""The cluster as tests see it, whichever it is."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

from .addresses import LOOPBACK, Ports
from .control_plane import CONTEXT
from .folders import Folders
from .one_node import OneNode


@dataclass(frozen=True, slots=True)
class Cluster:
    """How to reach a cluster and its registry."""

    kubeconfig: Path
    context: str
    registry: str
    public_url: str
    internal_url: str
    bin: Path
    docker_host: str
    environment: dict[str, str] = field(default_factory=dict)


def up(folders: Folders) -> Cluster:
    """Bring a cluster up."""
    ports = Ports.from_environment()
    OneNode(folders, ports).up()
    return _one_node(folders, ports)


def down(folders: Folders) -> None:
    """Remove what `up` made."""
    OneNode(folders, Ports.from_environment()).down()


def status(folders: Folders) -> dict[str, object]:
    """Return what runs."""
    return OneNode(folders, Ports.from_environment()).status()


def _one_node(folders: Folders, ports: Ports) -> Cluster:
    host = f"unix://{folders.state / 'docker.sock'}"
    return Cluster(
        kubeconfig=folders.kubeconfig,
        context=CONTEXT,
        registry=f"localhost:{ports.registry}",
        public_url=f"http://{LOOPBACK}:{ports.public}",
        internal_url=f"http://{LOOPBACK}:{ports.internal}",
        bin=folders.bin,
        docker_host=host,
        environment={
            "KUBECONFIG": str(folders.kubeconfig),
            "DOCKER_HOST": host,
            "DOCKER_BUILDKIT": "0",
            "PATH": f"{folders.bin}{os.pathsep}{os.environ['PATH']}",
        },
    )
