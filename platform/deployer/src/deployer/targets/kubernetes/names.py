"""What everything is called in the cluster. Pure.

A service has a namespace; a slot is a Helm release whose objects all bear its name.
"""

from __future__ import annotations

from dataclasses import dataclass

from deployer.environment import Environment, KubernetesPolicy
from deployer.model import Release, ServiceName, Slot

SLOT = "deployer/slot"  # labels
RELEASE = "deployer/release"
FENCE = "deployer/fence"  # annotations
LIVE = "deployer/live"
FLAGS = "deployer/flags"
MINIMUM = "deployer/minimum"  # an autoscaler's own floor, while ours is in its place
HTTP_PORT, ADMIN_PORT = 8000, 9000  # of a pod
SERVICE_PORT = 80
STATE = "deployer"  # the ConfigMap with what should run


def short(release: Release) -> str:
    """Return what tells a release's objects from those of another in the same slot."""
    return release.digest[:12]


@dataclass(frozen=True, slots=True)
class Names:
    """The names of one environment."""

    environment: str
    policy: KubernetesPolicy

    @classmethod
    def of(cls, environment: Environment) -> Names:
        """Return the names of an environment."""
        return cls(environment.name, environment.kubernetes)

    @property
    def platform(self) -> str:
        """The namespace of the Gateways."""
        return self.policy.platform_namespace.format(environment=self.environment)

    @property
    def router(self) -> tuple[str, str, str]:
        """Namespace, Service and port name of the router's metrics page."""
        text = self.policy.router.format(environment=self.environment)
        namespace, _, rest = text.partition("/")
        service, _, port = rest.partition(":")
        return namespace, service, port

    def namespace(self, service: ServiceName) -> str:
        """The service's own namespace."""
        return self.policy.namespace.format(service=service, environment=self.environment)

    def core(self, service: ServiceName, kind: str, name: str = "") -> str:
        """The path of an object, or a collection, of the core API."""
        return _path("/api/v1", self.namespace(service), kind, name)

    def deployment(self, service: ServiceName, slot: Slot) -> str:
        """The path of a slot's Deployment."""
        return self.group(service, "apps/v1", "deployments", f"{service}-{slot}")

    def autoscaler(self, service: ServiceName, slot: Slot) -> str:
        """The path of a slot's HorizontalPodAutoscaler."""
        kind = "horizontalpodautoscalers"
        return self.group(service, "autoscaling/v2", kind, f"{service}-{slot}")

    def route(self, service: ServiceName, name: str) -> str:
        """The path of an HTTPRoute."""
        return self.group(service, "gateway.networking.k8s.io/v1", "httproutes", name)

    def gateway(self, name: str) -> str:
        """The path of a Gateway of the environment."""
        return _path("/apis/gateway.networking.k8s.io/v1", self.platform, "gateways", name)

    def group(self, service: ServiceName, api: str, kind: str, name: str = "") -> str:
        """The path of an object, or a collection, of an API group."""
        return _path(f"/apis/{api}", self.namespace(service), kind, name)

    def pod_proxy(self, service: ServiceName, pod: str, port: int) -> str:
        """The path by which the API server passes requests on to a pod's port."""
        return f"{self.core(service, 'pods', f'{pod}:{port}')}/proxy"


def _path(api: str, namespace: str, kind: str, name: str) -> str:
    path = f"{api}/namespaces/{namespace}/{kind}"
    return f"{path}/{name}" if name else path


def slot_labels(service: ServiceName, slot: Slot, release: Release) -> str:
    """Return the selector of a release's objects in a slot, and of no others."""
    return f"app.kubernetes.io/name={service},{SLOT}={slot},{RELEASE}={short(release)}"
