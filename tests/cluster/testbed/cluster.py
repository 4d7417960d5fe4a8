"""The cluster as tests see it, whichever it is."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from . import kind, tools
from .addresses import LOOPBACK, Ports
from .commands import run
from .control_plane import CONTEXT
from .failures import MachineUnfitError, PartFailedError
from .folders import Folders
from .one_node import OneNode

GIVEN = "DEPLOYER_TEST_CONTEXT"


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
    environment: dict[str, str] = field(default_factory=dict)  # for programs that use the cluster

    def kubectl(self, *arguments: str, stdin: str | None = None, seconds: float = 120) -> str:
        """Run kubectl against the cluster and return what it printed; raise PartFailedError."""
        return self.run(
            "kubectl", "--context", self.context, *arguments, stdin=stdin, seconds=seconds
        )

    def run(
        self, program: str, *arguments: str, stdin: str | None = None, seconds: float = 120
    ) -> str:
        """Run a program with the cluster's environment: helm, docker, kubectl; raise PartFailedError."""
        found = shutil.which(program, path=self.environment["PATH"]) or program
        return run(found, *arguments, environment=self.environment, stdin=stdin, seconds=seconds)


def up(folders: Folders) -> Cluster:
    """Return the cluster that is given, or bring one up.

    Raises MachineUnfitError where this machine can have none, PartFailedError when a part does not come up.
    """
    ports = Ports.from_environment()
    if os.environ.get(GIVEN):
        return _given(folders, ports)
    if kind.available():
        kind.up(folders, ports)
        return _cluster(folders, ports, kind.CONTEXT, os.environ.get("DOCKER_HOST", ""))
    OneNode(folders, ports).up()
    return _cluster(folders, ports, CONTEXT, f"unix://{folders.state / 'docker.sock'}")


def prepare(folders: Folders) -> None:
    """Install and build what tests run outside the cluster too, whichever cluster it is."""
    if os.environ.get(GIVEN) or kind.available():
        tools.build(folders.bin, wanted=tools.CLIENTS)
    else:
        OneNode(folders, Ports.from_environment()).prepare()


def down(folders: Folders) -> None:
    """Remove what `up` made: a cluster that was given is left alone."""
    if os.environ.get(GIVEN):
        return  # bridges and tables have one name a machine: they may be the given one's
    if kind.is_ours(folders):
        kind.down(folders)
    else:
        OneNode(folders, Ports.from_environment()).down()


def status(folders: Folders) -> dict[str, object]:
    """Return what there is of the cluster under a state folder."""
    if kind.is_ours(folders):
        return {"up": True, "kind": kind.NAME, "kubeconfig": str(folders.kubeconfig)}
    return OneNode(folders, Ports.from_environment()).status()


def leftovers(folders: Folders) -> list[str]:
    """Return what of a one-node cluster is on this machine after `down`: nothing."""
    if os.environ.get(GIVEN) or kind.available():
        return []
    return OneNode(folders, Ports.from_environment()).leftovers()


def _given(folders: Folders, ports: Ports) -> Cluster:
    """Somebody else's cluster: its addresses come from the environment, or are the usual ones."""
    context = os.environ[GIVEN]
    path = os.environ.get("KUBECONFIG", "") or str(Path.home() / ".kube" / "config")
    cluster = _cluster(folders, ports, context, os.environ.get("DOCKER_HOST", ""), Path(path))
    try:
        cluster.kubectl("get", "--raw", "/readyz", seconds=20)
    except PartFailedError as failure:
        raise MachineUnfitError(
            f"{GIVEN}={context}: no such cluster answers: {failure}"
        ) from failure
    return cluster


def _cluster(
    folders: Folders, ports: Ports, context: str, docker_host: str, kubeconfig: Path | None = None
) -> Cluster:
    kubeconfig = kubeconfig or folders.kubeconfig
    environment = {
        "KUBECONFIG": str(kubeconfig),
        "PATH": f"{folders.bin}{os.pathsep}{os.environ['PATH']}",
    }
    if docker_host:
        # The classic builder: Debian's engine has no BuildKit of its own.
        environment |= {"DOCKER_HOST": docker_host, "DOCKER_BUILDKIT": "0"}
    place = os.environ.get
    return Cluster(
        kubeconfig=kubeconfig,
        context=context,
        registry=place("DEPLOYER_TEST_REGISTRY", f"localhost:{ports.registry}"),
        public_url=place("DEPLOYER_TEST_PUBLIC_URL", f"http://{LOOPBACK}:{ports.public}"),
        internal_url=place("DEPLOYER_TEST_INTERNAL_URL", f"http://{LOOPBACK}:{ports.internal}"),
        bin=folders.bin,
        docker_host=docker_host,
        environment=environment,
    )
