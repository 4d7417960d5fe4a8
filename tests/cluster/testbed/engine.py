"""A Docker engine of the cluster's own: it builds images, and pushes them to the registry."""

from __future__ import annotations

import json
from pathlib import Path

from .addresses import DOCKER_BRIDGE
from .commands import run, wait_for
from .folders import Folders
from .memory import FOLDER
from .node import cgroup
from .packages import program
from .parts import Parts

READY_SECONDS = 60


class Engine:
    """dockerd with a data root and a socket of its own."""

    def __init__(self, folders: Folders, parts: Parts) -> None:
        self._folders = folders
        self._parts = parts
        self.host = f"unix://{folders.state / 'docker.sock'}"

    def up(self) -> None:
        """Start it, and return when it answers."""
        folder = self._folders.within("docker")
        settings = folder / "daemon.json"  # in place of the machine's own
        settings.write_text(json.dumps({"features": {"buildkit": False}}))
        self._parts.start(
            "dockerd",
            program("dockerd"),
            f"--config-file={settings}",
            f"--host={self.host}",
            f"--data-root={self._folders.within(FOLDER, 'docker')}",
            f"--exec-root={folder / 'exec'}",
            f"--pidfile={folder / 'dockerd.pid'}",
            # Where the machine has a containerd already, dockerd would share it: by another name then.
            "--containerd-namespace=deployer-testbed",
            f"--bridge={DOCKER_BRIDGE}",
            # The cluster's own nftables table does both; dockerd's chains would stay behind.
            "--iptables=false",
            "--ip-masq=false",
            f"--cgroup-parent=/{cgroup(self._folders.state)}/docker",
            "--storage-driver=overlay2",
        )
        wait_for(
            lambda: self.docker("version"),
            "the Docker engine",
            seconds=READY_SECONDS,
            while_=lambda: self._parts.require("dockerd"),
        )

    def docker(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run the client against this engine."""
        environment = {"DOCKER_HOST": self.host, "DOCKER_BUILDKIT": "0", "DOCKER_CONTEXT": ""}
        return run("docker", *arguments, environment=environment, stdin=stdin)
