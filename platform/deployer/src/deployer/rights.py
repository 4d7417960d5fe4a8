"""What an identity has to be allowed, to roll out one service: no more than the calls that are made.

The chart `environment` grants exactly this table, as a Role in the service's namespace and one in
the platform's; a test holds both equal. The API server is asked about each right by itself
(SelfSubjectAccessReview): that is the answer of whatever authorises there, RBAC or not.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from deployer.cluster import Cluster
from deployer.errors import OperationError
from deployer.threads import gather, threads

READ = ("get", "list")
OWN = ("get", "list", "create", "patch", "delete")  # Helm's and ours by server-side apply
REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"
AT_ONCE = 8  # of about 70 questions a namespace: 0.1 s instead of half a second


@dataclass(frozen=True, slots=True)
class Right:
    """Verbs on a resource of an API group ("" is the core's); `resource` may be `pods/log`.

    With `name` on the object of that name only.
    """

    group: str
    resource: str
    verbs: tuple[str, ...]
    name: str = ""


@dataclass(frozen=True, slots=True)
class Missing:
    """One verb that is not allowed."""

    namespace: str
    group: str
    resource: str
    verb: str

    def __str__(self) -> str:
        return f"{self.verb} {self.resource}{'.' if self.group else ''}{self.group}"


SERVICE_RIGHTS = (
    Right("", "namespaces", ("get",)),  # its own: a Role reaches no other
    Right("", "secrets", ("get", "list", "create", "update", "delete")),  # Helm's releases
    Right("", "configmaps", ("get", "list", "create", "update", "patch", "delete")),  # the ledger
    Right("", "services", OWN),
    Right("", "serviceaccounts", OWN),
    Right("", "pods", ("get", "list", "patch", "delete")),  # patch: a pod is touched for new flags
    Right("", "pods/log", ("get",)),
    Right("", "pods/proxy", ("get",)),  # an instance's metrics
    Right("", "events", ("get", "list", "create")),
    Right("", "resourcequotas", READ),
    Right("apps", "deployments", OWN),
    Right("apps", "deployments/scale", ("get", "patch")),
    Right("apps", "replicasets", READ),
    Right("autoscaling", "horizontalpodautoscalers", OWN),
    Right("batch", "jobs", OWN),  # migrations
    Right("coordination.k8s.io", "leases", ("get", "list", "create", "update")),
    Right("discovery.k8s.io", "endpointslices", READ),
    Right("gateway.networking.k8s.io", "httproutes", OWN),
    Right("networking.k8s.io", "networkpolicies", OWN),
    Right("policy", "poddisruptionbudgets", OWN),
)
# Only where the Prometheus operator is, and a service wants to be found by it.
MONITOR_RIGHTS = (Right("monitoring.coreos.com", "servicemonitors", OWN),)
GATEWAY_RIGHTS = (Right("gateway.networking.k8s.io", "gateways", READ),)


def router_rights(page: str) -> tuple[Right, ...]:
    """Return what reads the metrics of each of the router's pods; `page` is its Service:port."""
    return (
        Right("discovery.k8s.io", "endpointslices", READ),
        Right("", "pods/proxy", ("get",)),
        Right("", "services/proxy", ("get",), name=page),  # for a router that is no pod
    )


def missing(cluster: Cluster, namespace: str, rights: Iterable[Right]) -> tuple[Missing, ...]:
    """Ask the API server about each right in a namespace, and return those we do not have.

    Raises OperationError when it does not answer.
    """
    questions = [(right, verb) for right in rights for verb in right.verbs]

    with threads(AT_ONCE) as pool:
        asked = [pool.submit(_allowed, cluster, namespace, *question) for question in questions]
        answers = gather(asked)
    return tuple(
        Missing(namespace, right.group, right.resource, verb)
        for (right, verb), allowed in zip(questions, answers, strict=True)
        if not allowed
    )


def require_rights(cluster: Cluster, namespace: str, rights: Iterable[Right]) -> None:
    """Raise OperationError `rights-missing` unless we have all of them in the namespace."""
    lacking = missing(cluster, namespace, rights)
    if lacking:
        raise OperationError(
            "rights-missing",
            f"in {namespace} this identity may not {summary(lacking)}",
            hint="use the identity of that service's pipeline, or have the chart `environment`"
            " installed with the service in it",
            details=tuple(str(each) for each in lacking),
        )


def summary(lacking: tuple[Missing, ...], *, most: int = 3) -> str:
    """Say the first few, and how many more there are."""
    told = ", ".join(str(each) for each in lacking[:most])
    return told if len(lacking) <= most else f"{told} and {len(lacking) - most} more"


def count(rights: Iterable[Right]) -> int:
    """How many verbs these are."""
    return sum(len(right.verbs) for right in rights)


def _allowed(cluster: Cluster, namespace: str, right: Right, verb: str) -> bool:
    resource, _, subresource = right.resource.partition("/")
    attributes = {
        "namespace": namespace,
        "group": right.group,
        "resource": resource,
        "subresource": subresource,
        "verb": verb,
        "name": namespace if resource == "namespaces" else right.name,
    }
    review = cluster.create(
        REVIEWS,
        {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectAccessReview",
            "spec": {"resourceAttributes": attributes},
        },
    )
    return bool(review["status"]["allowed"])
