"""A cluster by kind, where kind and a Docker engine are: public images, and nothing needs root.

The same names as on the one-node cluster: the registry at localhost, GatewayClass `traefik`, and in
`platform-dev` the Services `internal` and `traefik`, with Traefik in a pod here.
"""

from __future__ import annotations

import shutil
from contextlib import suppress
from pathlib import Path
from string import Template
from textwrap import indent

from . import router, tools
from .addresses import Ports
from .commands import run
from .control_plane import kubectl
from .failures import PartFailedError
from .folders import MANIFESTS, Folders
from .report import timed

NAME = "deployer-test"
CONTEXT = f"kind-{NAME}"
REGISTRY = f"{NAME}-registry"
REGISTRY_IMAGE = "registry:2"
METRICS_SERVER = "registry.k8s.io/metrics-server/metrics-server:v0.8.0"
MARK = "kind"  # a file in the state folder that says which cluster it is
WAIT = "5m"  # images are pulled


def available() -> bool:
    """Whether kind is here, and a Docker engine answers."""
    if shutil.which("kind") is None or shutil.which("docker") is None:
        return False
    try:
        run("docker", "version", seconds=20)
    except PartFailedError:
        return False
    return True


def up(folders: Folders, ports: Ports) -> None:
    """Make the cluster with its registry and router; on a failure remove it again."""
    tools.build(folders.bin, wanted=tools.CLIENTS)
    down(folders)
    folders.state.mkdir(parents=True, exist_ok=True)
    (folders.state / MARK).touch()
    try:
        with timed("kind cluster"):
            _nodes(folders, ports)
        with timed("registry"):
            _registry(ports)
        with timed("extensions"):
            _extensions(folders)
    except BaseException:
        down(folders)
        raise


def down(folders: Folders) -> None:
    """Remove the cluster and its registry; nothing happens where they are not."""
    if is_ours(folders):
        with suppress(PartFailedError):  # never made
            run("docker", "rm", "--force", "--volumes", REGISTRY)
        run("kind", "delete", "cluster", "--name", NAME)
        shutil.rmtree(folders.state)


def is_ours(folders: Folders) -> bool:
    """Whether the state folder is a kind cluster's."""
    return (folders.state / MARK).exists()


def _nodes(folders: Folders, ports: Ports) -> None:
    text = Template((MANIFESTS / "kind" / "cluster.yaml").read_text())
    configuration = text.substitute(public=ports.public, internal=ports.internal)
    run(
        *("kind", "create", "cluster", "--name", NAME, "--config", "-", "--wait", WAIT),
        *("--kubeconfig", folders.kubeconfig),
        stdin=configuration,
    )


def _registry(ports: Ports) -> None:
    """Run a registry beside the node, and tell the node that `localhost` means it."""
    published = f"127.0.0.1:{ports.registry}:5000"
    run("docker", "run", "--detach", "--name", REGISTRY, "--publish", published, REGISTRY_IMAGE)
    run("docker", "network", "connect", "kind", REGISTRY)
    folder = f"/etc/containerd/certs.d/localhost:{ports.registry}"
    script = f"mkdir -p {folder} && cat > {folder}/hosts.toml"
    host = f'[host."http://{REGISTRY}:5000"]\n'
    for each in run("kind", "get", "nodes", "--name", NAME).split():
        run("docker", "exec", "--interactive", each, "sh", "-c", script, stdin=host)


def _extensions(folders: Folders) -> None:
    kubectl(folders, "apply", "--server-side", "-f", tools.gateway_definitions())
    kubectl(folders, "apply", "--server-side", "-f", MANIFESTS / "gateway-class.yaml")
    kubectl(folders, "apply", "--server-side", "-f", "-", stdin=traefik())
    kubectl(folders, "apply", "--server-side", "-f", "-", stdin=metrics_server(folders))
    for name, namespace in (("traefik", "platform-dev"), ("metrics-server", "kube-system")):
        wanted = ("rollout", "status", f"deployment/{name}", f"--namespace={namespace}")
        kubectl(folders, *wanted, f"--timeout={WAIT}")


def traefik() -> str:
    """Return Traefik's objects, with the configuration that it has outside a cluster too."""
    addresses = {"public": ":8080", "internal": ":8081", "metrics": ":8082"}
    text = Template((MANIFESTS / "kind" / "traefik.yaml").read_text())
    return text.substitute(
        configuration=indent(router.configuration(addresses, router.Times()), "    ")
    )


def metrics_server(folders: Folders) -> str:
    """Return metrics-server's objects: the Go module's own, for kubelets that sign for themselves."""
    base = tools.metrics_server_manifests()
    text = kubectl(folders, "kustomize", str(Path(base)))
    image = "gcr.io/k8s-staging-metrics-server/metrics-server:master"
    return text.replace(image, METRICS_SERVER).replace(
        "- --cert-dir=/tmp\n", "- --cert-dir=/tmp\n        - --kubelet-insecure-tls\n"
    )
