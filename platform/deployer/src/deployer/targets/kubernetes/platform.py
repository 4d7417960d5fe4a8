"""What an environment has beside its services: namespaces, Gateways, identities, a dev database."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from deployer.cluster import Cluster, ObjectExists
from deployer.model import ServiceName
from deployer.targets.kubernetes.helm import Helm
from deployer.targets.kubernetes.names import Names

ENVIRONMENT = "environment"  # Helm releases, and the charts of the same names
POSTGRESQL = "postgresql"


class Platform:
    """Installs it from the checkout's charts."""

    def __init__(self, cluster: Cluster, helm: Helm, names: Names, charts: Path) -> None:
        self._cluster = cluster
        self._helm = helm
        self._names = names
        self._charts = charts

    def up(self, services: Sequence[ServiceName]) -> None:
        """Install or upgrade it for these services."""
        self._have_namespace()
        policy = self._names.policy
        _, router, port = self._names.router
        image = policy.postgresql_image
        namespaces = {service: self._names.namespace(service) for service in services}
        self._helm.install(
            ENVIRONMENT,
            self._charts / ENVIRONMENT,
            namespace=self._names.platform,
            values={
                "environment": self._names.environment,
                "platformNamespace": self._names.platform,
                "services": namespaces,
                "gatewayClass": policy.gateway_class,
                "router": f"{router}:{port}" if policy.metrics == "scrape" else "",
            },
        )
        if policy.database == "chart":
            self._helm.install(
                POSTGRESQL,
                self._charts / POSTGRESQL,
                namespace=self._names.platform,
                values={"databases": namespaces} | ({"image": image} if image else {}),
            )

    def _have_namespace(self) -> None:
        meta = {
            "name": self._names.platform,
            "labels": {
                "deployer/environment": self._names.environment,
                "pod-security.kubernetes.io/enforce": "restricted",
            },
        }
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": meta}
        if self._cluster.get(f"/api/v1/namespaces/{self._names.platform}") is None:
            try:
                self._cluster.create("/api/v1/namespaces", body)
            except ObjectExists:
                return  # two at once
