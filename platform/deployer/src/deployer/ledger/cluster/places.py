"""Places: where in the API each object of the ledger is, and what it is labelled with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from deployer.cluster import Object
from deployer.model import RolloutId, ServiceName

KIND, SERVICE, ROLLOUT = "deployer/kind", "deployer/service", "deployer/rollout"
OUTCOME = "deployer/outcome"


@dataclass(frozen=True, slots=True)
class Places:
    """The paths of one environment's objects. `namespace` says which one a service has."""

    namespace: Callable[[ServiceName], str]

    def lease(self, service: ServiceName) -> str:
        """Return the path of the service's lease."""
        return f"{self.leases(service)}/{service}"

    def leases(self, service: ServiceName) -> str:
        """Return the path of all leases of the namespace."""
        return f"/apis/coordination.k8s.io/v1/namespaces/{self.namespace(service)}/leases"

    def maps(self, service: ServiceName) -> str:
        """Return the path of all ConfigMaps of the namespace."""
        return f"/api/v1/namespaces/{self.namespace(service)}/configmaps"

    def map(self, service: ServiceName, name: str) -> str:
        """Return the path of one ConfigMap."""
        return f"{self.maps(service)}/{name}"


def rollout_name(rollout: RolloutId) -> str:
    """Return the name of a rollout's ConfigMap; the zeros have them listed in order."""
    return f"rollout-{rollout:06}"


def config_map(
    name: str, service: ServiceName, *, kind: str, rollout: RolloutId | None = None
) -> Object:
    """Return a ConfigMap of ours without content."""
    labels = {KIND: kind, SERVICE: str(service)}
    if rollout is not None:
        labels[ROLLOUT] = str(rollout)
    metadata: Object = {"name": name, "labels": labels, "annotations": {}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}
