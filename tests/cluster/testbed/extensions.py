"""What a cluster has beside its core: names, resource figures, and the Gateway API's definitions."""

from __future__ import annotations

from pathlib import Path
from string import Template

from . import tools
from .addresses import NODE, Ports
from .commands import wait_for
from .control_plane import ControlPlane
from .folders import MANIFESTS, Folders
from .parts import Parts
from .router import listening

READY_SECONDS = 60


class Extensions:
    """CoreDNS and metrics-server on this machine, and the objects by which the cluster finds them."""

    def __init__(self, folders: Folders, parts: Parts, ports: Ports, control: ControlPlane) -> None:
        self._folders = folders
        self._parts = parts
        self._ports = ports
        self._control = control

    def gateway_definitions(self) -> None:
        """Install the Gateway API, from the Go module that has its definitions."""
        files = tools.gateway_definitions()
        self._control.kubectl("apply", "--server-side", "-f", files)
        self._control.kubectl(
            *("wait", "--for=condition=Established", "--timeout=60s", "-f"),
            files / "gateway.networking.k8s.io_httproutes.yaml",
        )
        self._apply("gateway-class.yaml")

    def names(self) -> None:
        """Start CoreDNS at the bridge's address, which kubelet gives to pods."""
        corefile = self._folders.state / "Corefile"
        corefile.write_text(_corefile(self._ports, self._folders.kubeconfig))
        self._parts.start("coredns", self._folders.bin / "coredns", "-conf", corefile)
        wait_for(
            lambda: listening(NODE, self._ports.dns),
            "CoreDNS",
            seconds=READY_SECONDS,
            while_=lambda: self._parts.require("coredns"),
        )

    def figures(self) -> None:
        """Start metrics-server, which the HorizontalPodAutoscaler asks."""
        keys = self._folders.within("certificates")
        kubeconfig = self._folders.kubeconfig
        self._apply("metrics-server.yaml")
        self._parts.start(
            "metrics-server",
            self._folders.bin / "metrics-server",
            f"--kubeconfig={kubeconfig}",
            f"--authentication-kubeconfig={kubeconfig}",
            f"--authorization-kubeconfig={kubeconfig}",
            f"--bind-address={NODE}",
            f"--secure-port={self._ports.metrics_server}",
            f"--cert-dir={keys}",
            f"--kubelet-certificate-authority={keys / 'ca.crt'}",
            "--kubelet-preferred-address-types=InternalIP",
            "--metric-resolution=10s",  # the shortest it takes, and it must be longer than the next
            "--kubelet-request-timeout=5s",
        )

    def platform(self, *, pause: str) -> None:
        """Let pods and the API server find Traefik, where a Gateway controller in pods would be."""
        self._apply("platform.yaml", pause=pause)
        self._control.kubectl(
            *("wait", "pod/traefik", "--namespace=platform-dev"),
            *("--for=condition=Ready", f"--timeout={READY_SECONDS}s"),
        )

    def _apply(self, name: str, **values: str) -> None:
        ports = {
            "internal": str(self._ports.internal),
            "metrics": str(self._ports.metrics),
            "metrics_server": str(self._ports.metrics_server),
        }
        text = Template((MANIFESTS / name).read_text()).substitute(node=NODE, **ports, **values)
        self._control.kubectl("apply", "--server-side", "-f", "-", stdin=text)


def _corefile(ports: Ports, kubeconfig: Path) -> str:
    # Short times to live: a test that makes a Service asks for its name at once.
    return f"""
.:{ports.dns} {{
    bind {NODE}
    errors
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {kubeconfig}
        pods insecure
        ttl 5
    }}
    forward . /etc/resolv.conf
    cache 5
}}
"""
