"""The one-node cluster: brought up part by part, and removed without a trace."""

from __future__ import annotations

import json
import os
import platform
import shutil

from . import images, memory, network, node, packages, registry, router, tools
from .addresses import Ports
from .certificates import Authority
from .commands import run
from .control_plane import CONTEXT, ControlPlane, kubectl
from .engine import Engine
from .extensions import Extensions
from .failures import MachineUnfitError
from .folders import Folders
from .node import Node
from .parts import Parts
from .report import timed


def require_machine() -> None:
    """Raise MachineUnfitError with the reason where this cluster cannot be made."""
    if platform.system() != "Linux":
        raise MachineUnfitError(
            f"the one-node cluster needs Linux, and this is {platform.system()}"
        )
    if shutil.which("apt-get") is None:
        raise MachineUnfitError(
            "the one-node cluster is made of Debian packages, and there is no apt-get"
        )
    if os.geteuid() != 0:
        raise MachineUnfitError("the one-node cluster needs root: it mounts, and makes bridges")


class OneNode:
    """The cluster under a state folder."""

    def __init__(self, folders: Folders, ports: Ports) -> None:
        self._folders = folders
        self._parts = Parts(folders.state)
        self._ports = ports
        self._took: dict[str, float] = {}

    def prepare(self) -> None:
        """Install, build and make what the cache has not: minutes the first time, then nothing."""
        require_machine()
        packages.install()
        tools.build(self._folders.bin)
        images.make(self._folders)

    def up(self) -> None:
        """Bring everything up; on a failure remove it again."""
        self.prepare()
        self.down()
        self._ports.require_free()
        self._folders.state.mkdir(parents=True, exist_ok=True)
        self._folders.state.chmod(0o700)
        try:
            with timed("the cluster", to=self._took):
                self._start()
        except BaseException:
            self.down(keep_logs=True)
            raise
        (self._folders.state / "took.json").write_text(json.dumps(self._took))

    def down(self, *, keep_logs: bool = False) -> None:
        """Stop every part and remove what they made; nothing happens when there is none."""
        state = self._folders.state
        if not state.exists():
            return
        with timed("ending pods"):
            self._parts.stop(only="kubelet")
            node.end_pods(self._folders)
        with timed("stopping parts"):
            self._parts.stop()
        with timed("removing mounts, cgroups and bridges"):
            node.remove(self._folders)
            network.down(state)
        kept = {"logs"} if keep_logs else set()
        with timed("deleting the state"):
            # Where it is on a disk it is tens of thousands of files: faster than from Python.
            run("rm", "-rf", *(entry for entry in state.iterdir() if entry.name not in kept))

    def status(self) -> dict[str, object]:
        """Return what runs, and how long each part took to come."""
        parts = {part.name: part.alive for part in self._parts.all()}
        took = self._folders.state / "took.json"
        return {
            "up": took.exists() and all(parts.values()),
            "parts": parts,
            "took_seconds": json.loads(took.read_text()) if took.exists() else {},
            "nodes": kubectl(self._folders, "get", "nodes", "-o", "name").split()
            if parts.get("kube-apiserver")
            else [],
        }

    def leftovers(self) -> list[str]:
        """Return what of the cluster is still on the machine: nothing, when it is down."""
        left = [f"{part.name} runs" for part in self._parts.all() if part.alive]
        return left + node.leftovers(self._folders.state) + network.leftovers()

    def _start(self) -> None:
        folders, parts, ports = self._folders, self._parts, self._ports
        authority = Authority(folders.within("certificates"))
        control = ControlPlane(folders, parts, ports, authority)
        machine = Node(folders, parts, ports, authority)
        engine = Engine(folders, parts)
        extensions = Extensions(folders, parts, ports, control)
        with timed("network, store and containers", to=self._took):
            network.up(folders.state, ports)
            memory.mount(folders.state)
            control.store()
            seeded = images.seed(folders)
            name = registry.up(folders, parts, ports)
            machine.containers(images.in_registry(name, images.PAUSE))
        with timed("control plane", to=self._took):
            control.up()
        with timed("engine and images", to=self._took):
            engine.up()
            images.load(folders, engine, name, seeded=seeded)
        with timed("node", to=self._took):
            machine.up(control)
        with timed("extensions", to=self._took):
            extensions.names()
            extensions.gateway_definitions()
            extensions.figures()
        with timed("router", to=self._took):
            router.up(folders, parts, ports)
            extensions.platform(pause=images.in_registry(name, images.PAUSE))


__all__ = ["CONTEXT", "OneNode", "require_machine"]
