"""A slot's pods: how many are ready, and why they are not."""

from __future__ import annotations

from collections.abc import Iterable

from deployer.cluster import Cluster, Object, metadata
from deployer.errors import OperationError
from deployer.model import Release, ServiceName, Slot
from deployer.targets.kubernetes.names import ADMIN_PORT, HTTP_PORT, Names, slot_labels
from deployer.targets.protocol import InstanceStatus

LOG_LINES = 15

# What a container waits for when waiting helps nothing, and the code of the error that says so.
STUCK = {
    "ImagePullBackOff": "image-not-pulled",
    "InvalidImageName": "image-not-pulled",
    "ErrImageNeverPull": "image-not-pulled",
    "CrashLoopBackOff": "crash-loop",
    "CreateContainerConfigError": "configuration-missing",
    "CreateContainerError": "configuration-missing",
}
# What the kubelet says of an API server that it asks in vain, and soon asks again.
PASSING = "failed to sync "
HINTS = {
    "image-not-pulled": "see that the registry has it and the nodes may pull from it",
    "crash-loop": "read its last words above; deployer why tells what was done about it",
    "out-of-memory": "raise resources.limits.memory in the chart's values, or find the leak",
    "configuration-missing": "make the Secret or ConfigMap that it names",
    "quota-exceeded": "raise the ResourceQuota, or lower `instances` and the chart's resources",
    "pods-refused": "mend the pod's security context or what the admission names",
}


class Pods:
    """The pods of an environment's services."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster = cluster
        self._names = names

    def of(self, service: ServiceName, slot: Slot, release: Release) -> tuple[Object, ...]:
        """Return the pods of a release in a slot that are not on their way out, oldest first."""
        labels = slot_labels(service, slot, release)
        found = self._cluster.list(self._names.core(service, "pods"), labels=labels)
        staying = [pod for pod in found if "deletionTimestamp" not in metadata(pod)]
        return tuple(sorted(staying, key=lambda pod: str(metadata(pod)["creationTimestamp"])))

    def log(self, service: ServiceName, pod: str, *, query: str) -> str:
        """Return a part of a pod's log."""
        return self._cluster.text(f"{self._names.core(service, 'pods', pod)}/log?{query}")

    def require_hopeful(
        self, service: ServiceName, slot: Slot, release: Release, deployment: Object
    ) -> None:
        """Raise OperationError when waiting helps nothing: what can't be pulled, what crashes.

        The code is one of STUCK's, `out-of-memory`, `quota-exceeded` or `pods-refused`.
        """
        for condition in (deployment.get("status") or {}).get("conditions", ()):
            if condition["type"] == "ReplicaFailure" and condition["status"] == "True":
                text = str(condition.get("message", condition.get("reason")))
                code = "quota-exceeded" if "exceeded quota" in text else "pods-refused"
                raise _stuck(code, release, slot, text)
        for pod in self.of(service, slot, release):
            self._require_hopeful(service, slot, release, pod)

    def _require_hopeful(
        self, service: ServiceName, slot: Slot, release: Release, pod: Object
    ) -> None:
        for status in _containers(pod):
            ended = (status.get("lastState") or {}).get("terminated") or {}
            waiting = waiting_of(status)
            code = stuck_code(waiting)
            if code is None:
                continue
            if code == "crash-loop" and ended.get("reason") == "OOMKilled":
                code = "out-of-memory"
            text = str(waiting.get("message") or waiting["reason"])
            raise _stuck(code, release, slot, text, self.last_words(service, pod))

    def last_words(self, service: ServiceName, pod: Object) -> tuple[str, ...]:
        """Return the end of the log of a pod's container, the one that ended if one did."""
        name = str(metadata(pod)["name"])
        for query in (f"previous=true&tailLines={LOG_LINES}", f"tailLines={LOG_LINES}"):
            lines = self.log(service, name, query=query).splitlines()
            if lines:
                return tuple(lines)
        return ()


def waiting_of(status: Object) -> Object:
    """Return what a container waits for, nothing where it does not wait."""
    waiting: Object = (status.get("state") or {}).get("waiting") or {}
    return waiting


def stuck_code(waiting: Object) -> str | None:
    """Return the error's code when a container waits in vain, None when waiting may help."""
    if PASSING in str(waiting.get("message")):
        return None
    return STUCK.get(str(waiting.get("reason")))


def instance_of(pod: Object) -> InstanceStatus:
    """Return a pod as an instance. It has no process id here."""
    name = str(metadata(pod)["name"])
    return InstanceStatus(name, 0, HTTP_PORT, ADMIN_PORT, ready=is_ready(pod))


def is_ready(pod: Object) -> bool:
    """Whether the kubelet says that the pod is ready."""
    conditions = (pod.get("status") or {}).get("conditions", ())
    return any(each["type"] == "Ready" and each["status"] == "True" for each in conditions)


def has_started(pod: Object) -> bool:
    """Whether the pod has passed its startup probe: before that, no answer is no fault."""
    statuses = tuple(_containers(pod))
    return bool(statuses) and all(status.get("started") for status in statuses)


def _containers(pod: Object) -> Iterable[Object]:
    found: Iterable[Object] = (pod.get("status") or {}).get("containerStatuses", ())
    return found


def _stuck(
    code: str, release: Release, slot: Slot, text: str, details: tuple[str, ...] = ()
) -> OperationError:
    return OperationError(
        code, f"{release.name} ({slot}) does not come up: {text}", hint=HINTS[code], details=details
    )
