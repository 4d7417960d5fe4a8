"""etcd, the API server, the controllers and the scheduler, as processes of this machine."""

from __future__ import annotations

from pathlib import Path

from .addresses import API_SERVICE, LOOPBACK, NODE, PODS, SERVICES, Ports
from .certificates import Authority, Pair
from .commands import run, wait_for
from .failures import PartFailedError
from .folders import Folders
from .memory import FOLDER
from .packages import program
from .parts import Parts

CONTEXT = "deployer-testbed"
READY_SECONDS = 60  # seen: 7


class ControlPlane:
    """What keeps the cluster's objects and acts on them."""

    def __init__(self, folders: Folders, parts: Parts, ports: Ports, authority: Authority) -> None:
        self._folders = folders
        self._parts = parts
        self._ports = ports
        self._authority = authority
        self.server = f"https://{NODE}:{ports.api}"

    def store(self) -> None:
        """Start etcd, on a clean folder."""
        client, peers = (
            f"http://{LOOPBACK}:{port}" for port in (self._ports.etcd, self._ports.etcd_peers)
        )
        self._parts.start(
            "etcd",
            program("etcd"),
            *("--name", "testbed", "--data-dir", self._folders.within(FOLDER) / "etcd"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
            *("--initial-cluster", f"testbed={peers}"),
        )

    def up(self) -> None:
        """Start the rest, and return when the API server is ready."""
        admin = self._authority.client("testbed:admin", "system:masters")
        self.kubeconfig(self._folders.kubeconfig, admin)
        self._api_server()
        wait_for(
            lambda: self.kubectl("get", "--raw", "/readyz") == "ok",
            "the API server's readiness",
            seconds=READY_SECONDS,
            while_=lambda: self._parts.require("kube-apiserver"),
        )
        self._controllers()

    def kubeconfig(self, path: Path, client: Pair) -> Path:
        """Write a way in for a client."""
        return self._authority.kubeconfig(path, server=self.server, client=client, name=CONTEXT)

    def kubectl(self, *arguments: str | Path, stdin: str | None = None) -> str:
        """Run kubectl as the administrator."""
        return kubectl(self._folders, *arguments, stdin=stdin)

    def _api_server(self) -> None:
        ca = self._authority.pair.certificate
        tokens = self._authority.signing_key("service-accounts")
        names = ("kubernetes", "kubernetes.default", "kubernetes.default.svc", "localhost")
        shown = self._authority.server("api", *names, API_SERVICE, NODE, LOOPBACK)
        to_kubelet = self._authority.client("kube-apiserver-kubelet-client", "system:masters")
        to_extensions = self._authority.client("front-proxy-client")
        self._parts.start(
            "kube-apiserver",
            self._folders.bin / "kube-apiserver",
            f"--etcd-servers=http://{LOOPBACK}:{self._ports.etcd}",
            f"--bind-address={NODE}",
            f"--advertise-address={NODE}",
            f"--secure-port={self._ports.api}",
            f"--service-cluster-ip-range={SERVICES}",
            "--authorization-mode=Node,RBAC",
            "--enable-admission-plugins=NodeRestriction",
            # As on most clusters: what a pod may be is for a namespace's standard to say.
            "--allow-privileged=true",
            f"--client-ca-file={ca}",
            f"--tls-cert-file={shown.certificate}",
            f"--tls-private-key-file={shown.key}",
            # Without the first, `exec` and `logs` look the node's name up, which nothing resolves.
            "--kubelet-preferred-address-types=InternalIP",
            f"--kubelet-certificate-authority={ca}",
            f"--kubelet-client-certificate={to_kubelet.certificate}",
            f"--kubelet-client-key={to_kubelet.key}",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={tokens.certificate}",
            f"--service-account-signing-key-file={tokens.key}",
            # metrics-server is an extension, reached at its endpoint.
            "--enable-aggregator-routing=true",
            f"--requestheader-client-ca-file={ca}",
            "--requestheader-allowed-names=front-proxy-client",
            "--requestheader-extra-headers-prefix=X-Remote-Extra-",
            "--requestheader-group-headers=X-Remote-Group",
            "--requestheader-username-headers=X-Remote-User",
            f"--proxy-client-cert-file={to_extensions.certificate}",
            f"--proxy-client-key-file={to_extensions.key}",
            f"--cert-dir={self._folders.within('certificates')}",
            # Debian 12's etcd does not tell how far a watch is, which this would wait for in vain.
            "--feature-gates=SizeBasedListCostEstimate=false",
            "--profiling=false",
        )

    def _controllers(self) -> None:
        keys = self._folders.within("certificates")
        ca = self._authority.pair
        parts = {
            "kube-controller-manager": self._ports.controllers,
            "kube-scheduler": self._ports.scheduler,
        }
        more = {
            "kube-controller-manager": (
                f"--service-account-private-key-file={keys / 'service-accounts.key'}",
                f"--root-ca-file={ca.certificate}",
                "--use-service-account-credentials=true",
                "--allocate-node-cidrs=true",
                f"--cluster-cidr={PODS}",
                "--node-cidr-mask-size=24",
                f"--cluster-signing-cert-file={ca.certificate}",
                f"--cluster-signing-key-file={ca.key}",
                # A cluster waits longer, to be calm: a test waits for what it does.
                "--horizontal-pod-autoscaler-sync-period=5s",
                "--horizontal-pod-autoscaler-cpu-initialization-period=10s",
                "--horizontal-pod-autoscaler-initial-readiness-delay=5s",
            ),
            "kube-scheduler": (),
        }
        for name, port in parts.items():
            client = self._authority.client(f"system:{name}")
            kubeconfig = self.kubeconfig(keys / f"{name}.kubeconfig", client)
            self._parts.start(
                name,
                self._folders.bin / name,
                f"--kubeconfig={kubeconfig}",
                f"--authentication-kubeconfig={kubeconfig}",
                f"--authorization-kubeconfig={kubeconfig}",
                f"--bind-address={LOOPBACK}",
                f"--secure-port={port}",
                f"--cert-dir={keys}",
                "--leader-elect=false",
                *more[name],
            )


def kubectl(folders: Folders, *arguments: str | Path, stdin: str | None = None) -> str:
    """Run kubectl as the administrator of a cluster and return what it printed."""
    built = folders.bin / "kubectl"
    name = built if built.exists() else "kubectl"
    environment = {"KUBECONFIG": str(folders.kubeconfig)}
    try:
        return run(name, *arguments, environment=environment, stdin=stdin, seconds=120)
    except PartFailedError as failure:
        raise PartFailedError(f"kubectl: {failure}") from failure
