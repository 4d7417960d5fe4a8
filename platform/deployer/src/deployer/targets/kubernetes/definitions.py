"""A service's flags in the cluster: a ConfigMap of its own, which both slots' pods have mounted.

It is nobody's release: a rollback of code leaves the flags, and a flag leaves the code. The kubelet looks at
what it has mounted once a minute or so; a pod that is touched is looked at soon.
"""

from __future__ import annotations

from collections.abc import Iterable

from deployer.cluster import Cluster, Object, metadata
from deployer.flags import Flags
from deployer.model import ServiceName
from deployer.targets.kubernetes.names import FLAGS, Names

FILE = "flags.json"


class Definitions:
    """The flags of an environment's services."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster = cluster
        self._names = names

    def read(self, service: ServiceName) -> str | None:
        """Return the file, None while there is none."""
        found = self._cluster.get(self._path(service))
        return None if found is None else str(found["data"][FILE])

    def write(self, service: ServiceName, flags: Flags) -> None:
        """Write the file."""
        body: Object = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _name(service),
                "labels": {"app.kubernetes.io/name": service},
            },
            "data": {FILE: flags.text},
        }
        self._cluster.apply(self._path(service), body)

    def touch(self, service: ServiceName, pods: Iterable[Object], flags: Flags) -> None:
        """Have the kubelets look at what the pods have mounted."""
        for pod in pods:
            path = self._names.core(service, "pods", str(metadata(pod)["name"]))
            self._cluster.patch(path, {"metadata": {"annotations": {FLAGS: flags.digest}}})

    def _path(self, service: ServiceName) -> str:
        return self._names.core(service, "configmaps", _name(service))


def _name(service: ServiceName) -> str:
    return f"{service}-flags"
