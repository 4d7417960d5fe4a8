"""An API server by itself: etcd and kube-apiserver on free loopback ports, no node.

For what only keeps objects. It is up in a few seconds, and unlike the cluster that all tests share
it may be stopped in the middle of one. Its certificate, its keys and its token are made at run time.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import urllib3
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from polling import eventually

from deployer.cluster import Cluster
from deployer.targets.local.ports import free_ports

READY_SECONDS = 60.0  # seen: 6
LOOPBACK = "127.0.0.1"


def program() -> Path:
    """Return the API server that the test cluster's harness builds."""
    home = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(home) / "deployer" / "testbed" / "bin" / "kube-apiserver"


@dataclass(frozen=True)
class Access:
    """What it takes to speak to an API server, also for another process."""

    url: str
    certificate: Path
    token: str = field(repr=False)

    @property
    def environment(self) -> Mapping[str, str]:
        """Itself, for a child's environment: a token is nothing for a command line."""
        return {
            "API_URL": self.url,
            "API_CERTIFICATE": str(self.certificate),
            "API_TOKEN": self.token,
        }

    @classmethod
    def of_environment(cls) -> Access:
        """Return what a parent left in the environment."""
        return cls(
            os.environ["API_URL"], Path(os.environ["API_CERTIFICATE"]), os.environ["API_TOKEN"]
        )

    def kubeconfig(self, path: Path) -> Path:
        """Write it down for kubectl, for the owner only."""
        cluster = {"server": self.url, "certificate-authority": str(self.certificate)}
        document = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "clusters": [{"name": "test", "cluster": cluster}],
            "users": [{"name": "test", "user": {"token": self.token}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
        }
        _write_secret(path, json.dumps(document))  # which is YAML
        return path

    def connect(self) -> Cluster:
        """Return a connection of its own."""
        pool = urllib3.PoolManager(ca_certs=str(self.certificate), maxsize=16)
        bearer = {"Authorization": f"Bearer {self.token}"}
        return Cluster(self.url, pool, credentials=lambda: bearer)


class ApiServer:
    """The processes of one API server."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._etcd, peers, port = free_ports(3)
        self._peers = peers
        self._port = port
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self.access = Access(
            f"https://{LOOPBACK}:{port}", folder / "apiserver.crt", secrets.token_hex(16)
        )

    def up(self) -> None:
        """Start what does not run, and return when it is ready."""
        if "etcd" not in self._processes:
            self._start_etcd()
        self._start_server()
        assert eventually(self._ready, seconds=READY_SECONDS), "the API server is not ready"

    def down(self, name: str = "") -> None:
        """Stop a process, or all of them."""
        for each in [name] if name else list(reversed(self._processes)):
            process = self._processes.pop(each)
            process.send_signal(signal.SIGKILL)  # what is in etcd is durable
            process.wait()

    def _ready(self) -> bool:
        for name, process in self._processes.items():
            assert process.poll() is None, (self._folder / f"{name}.log").read_text()[-3000:]
        return self.access.certificate.exists() and self.access.connect().answers("/readyz")

    def _start_etcd(self) -> None:
        client, peers = (f"http://{LOOPBACK}:{port}" for port in (self._etcd, self._peers))
        self._start(
            "etcd",
            shutil.which("etcd") or "etcd",
            *("--data-dir", self._folder / "etcd", "--initial-cluster", f"default={peers}"),
            *("--listen-client-urls", client, "--advertise-client-urls", client),
            *("--listen-peer-urls", peers, "--initial-advertise-peer-urls", peers),
        )

    def _start_server(self) -> None:
        key = self._signing_key()
        tokens = self._folder / "tokens.csv"
        _write_secret(tokens, f'{self.access.token},tester,1,"system:masters"\n')
        self._start(
            "kube-apiserver",
            program(),
            f"--etcd-servers=http://{LOOPBACK}:{self._etcd}",
            f"--bind-address={LOOPBACK}",
            f"--advertise-address={LOOPBACK}",
            f"--secure-port={self._port}",
            f"--cert-dir={self._folder}",  # it makes a certificate of its own here
            f"--token-auth-file={tokens}",
            "--authorization-mode=RBAC",
            "--service-cluster-ip-range=10.97.0.0/16",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--service-account-key-file={key}",
            f"--service-account-signing-key-file={key}",
            # Nobody runs the controllers that these wait for.
            "--disable-admission-plugins=ServiceAccount",
            "--endpoint-reconciler-type=none",
        )

    def _signing_key(self) -> Path:
        path = self._folder / "accounts.key"
        if not path.exists():
            key = ec.generate_private_key(ec.SECP256R1()).private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.TraditionalOpenSSL,
                serialization.NoEncryption(),
            )
            _write_secret(path, key.decode())
        return path

    def _start(self, name: str, *arguments: str | Path) -> None:
        with (self._folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                [str(each) for each in arguments], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )


@contextmanager
def api_server(folder: Path) -> Iterator[ApiServer]:
    """Give an API server that is ready, and stop it in the end."""
    server = ApiServer(folder)
    try:
        server.up()
        yield server
    finally:
        server.down()


def _write_secret(path: Path, text: str) -> None:
    path.touch(mode=0o600)
    path.write_text(text)
