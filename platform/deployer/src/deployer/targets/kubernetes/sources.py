"""Where the metrics of a service's slots are read in a cluster."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from deployer.cluster import Cluster, metadata
from deployer.metrics import Instance, MetricsSource, Prometheus, Scrape, gateway_label
from deployer.model import ServiceName, Slot
from deployer.targets.kubernetes.names import ADMIN_PORT, Names, short
from deployer.targets.kubernetes.pods import Pods, has_started
from deployer.targets.kubernetes.state import States


def source_of(
    cluster: Cluster,
    names: Names,
    pods: Pods,
    states: States,
    service: ServiceName,
    *,
    candidate: Slot,
) -> MetricsSource:
    """Return the source that the environment's policy names."""

    def release_of(slot: Slot) -> str:
        held = states.read(service).slot(slot)
        return short(held.release) if held else ""

    if names.policy.metrics == "prometheus":
        return Prometheus(
            service,
            candidate,
            url=names.policy.prometheus_url,
            namespace=names.namespace(service),
            release_of=release_of,
            queries=names.policy.queries,
        )
    return Scrape(
        service,
        candidate,
        router_urls=lambda: router_urls(cluster, names),
        instances_of=lambda slot: instances_of(cluster, names, pods, states, service, slot),
        label_of=lambda slot: gateway_label(names.namespace(service), f"{service}-{slot}"),
        pool=cluster.pages,
    )


def instances_of(
    cluster: Cluster, names: Names, pods: Pods, states: States, service: ServiceName, slot: Slot
) -> tuple[Instance, ...]:
    """Return the pods of a slot that have started, each by the path that the API server passes on."""
    held = states.read(service).slot(slot)
    found = pods.of(service, slot, held.release) if held else ()
    return tuple(
        Instance(cluster.url + names.pod_proxy(service, name, ADMIN_PORT), _started(pod))
        for pod in found
        if (name := str(metadata(pod)["name"])) and has_started(pod)
    )


def router_urls(cluster: Cluster, names: Names) -> Sequence[str]:
    """Return the metrics page of every replica of the router, as the API server passes it on.

    A router that is no pod (its Service has hand-made endpoints) has one, behind its Service.
    """
    namespace, service, port = names.router
    path = f"/apis/discovery.k8s.io/v1/namespaces/{namespace}/endpointslices"
    slices = cluster.list(path, labels=f"kubernetes.io/service-name={service}")
    pages = []
    for each in slices:
        numbers = [p["port"] for p in each.get("ports") or () if p.get("name") == port]
        for endpoint in each.get("endpoints") or ():
            pod = endpoint.get("targetRef") or {}
            if pod.get("kind") == "Pod" and numbers:
                pages.append(f"pods/{pod['name']}:{numbers[0]}")
    base = f"{cluster.url}/api/v1/namespaces/{namespace}"
    return [f"{base}/{page}/proxy/metrics" for page in pages or [f"services/{service}:{port}"]]


def _started(pod: dict[str, object]) -> float:
    status = pod.get("status")
    at = status.get("startTime") if isinstance(status, dict) else None
    return datetime.fromisoformat(str(at)).timestamp() if at else 0.0
