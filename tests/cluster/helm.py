"""Helm releases of a test's own, in namespaces of its own."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from testbed import Cluster

CHARTS = Path(__file__).parents[2] / "charts"


@dataclass(frozen=True, slots=True)
class Environment:
    """An environment of a test's own: a name, and the namespaces that come with it."""

    cluster: Cluster
    name: str
    services: tuple[str, ...]

    @property
    def platform(self) -> str:
        """The namespace of the Gateways."""
        return f"platform-{self.name}"

    def namespace(self, service: str) -> str:
        """A service's namespace."""
        return f"{service}-{self.name}"

    def install(self, chart: str, *words: str, seconds: float = 180) -> str:
        """Install or upgrade a chart of ours under its own name."""
        return self.cluster.run(
            "helm", "--kube-context", self.cluster.context,
            "upgrade", "--install", chart, str(CHARTS / chart),
            "--namespace", self.platform, "--create-namespace", *words,
            seconds=seconds,
        )  # fmt: skip

    def up(self) -> None:
        """Install the chart `environment`."""
        given = [f"services.{service}={self.namespace(service)}" for service in self.services]
        values = ",".join(
            [f"environment={self.name}", f"platformNamespace={self.platform}", *given]
        )
        self.install("environment", "--set", values)
        label = "pod-security.kubernetes.io/enforce=restricted"
        self.cluster.kubectl("label", "namespace", self.platform, label, "--overwrite")

    def down(self) -> None:
        """Take all of it away."""
        spaces = [self.platform, *(self.namespace(service) for service in self.services)]
        self.cluster.kubectl("delete", "namespace", *spaces, "--ignore-not-found", seconds=180)

    def identity(self, namespace: str, account: str, path: Path) -> Path:
        """Write a kubeconfig for a ServiceAccount, with a token that is made now for an hour."""
        kubectl = self.cluster.kubectl
        minified = ("config", "view", "--raw", "--minify", "--output", "json")
        whole = json.loads(kubectl(*minified))
        token = kubectl(
            "create", "token", account, "--namespace", namespace, "--duration", "1h"
        ).strip()
        whole["users"][0]["user"] = {"token": token}
        path.write_text(json.dumps(whole))
        path.chmod(0o600)
        return path
