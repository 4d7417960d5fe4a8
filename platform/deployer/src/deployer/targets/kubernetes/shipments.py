"""What a release consists of in a cluster: an image by digest, and the chart it goes out with.

Kept in the service's namespace under the release's digest, so that whoever takes a rollout over, or
goes back to a release weeks later, installs exactly what was built, without a checkout.
"""

from __future__ import annotations

import base64
import io
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from deployer.cluster import Cluster, ObjectExists
from deployer.errors import OperationError
from deployer.model import Release, ServiceName
from deployer.targets.kubernetes.names import RELEASE, Names, short


@dataclass(frozen=True, slots=True)
class Shipment:
    """`image` is a full reference by digest, `chart` a packaged chart with all it depends on."""

    image: str
    chart: bytes

    @contextmanager
    def unpacked(self) -> Iterator[Path]:
        """Have the chart as a folder, for a while."""
        with TemporaryDirectory() as scratch:
            with tarfile.open(fileobj=io.BytesIO(self.chart)) as packed:
                packed.extractall(scratch, filter="data")
            (folder,) = Path(scratch).iterdir()
            yield folder


class Shipments:
    """The shipments of an environment."""

    def __init__(self, cluster: Cluster, names: Names) -> None:
        self._cluster = cluster
        self._names = names

    def keep(self, release: Release, shipment: Shipment, *, content: str) -> None:
        """Remember what a release consists of, and what it was built from.

        Nothing happens when that is known.
        """
        body = {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {
                "name": _name(release),
                "labels": {
                    "app.kubernetes.io/name": release.service,
                    "app.kubernetes.io/version": release.version,
                    RELEASE: short(release),
                },
            },
            "immutable": True,
            "data": {
                "image": shipment.image,
                "content": content,
                "digest": release.digest,
                "commit": release.commit or "",
            },
            "binaryData": {"chart.tgz": base64.b64encode(shipment.chart).decode()},
        }
        try:
            self._cluster.create(self._names.core(release.service, "configmaps"), body)
        except ObjectExists:
            return  # the name holds the digest: it is the same

    def built(self, service: ServiceName, version: str, content: str) -> Release | None:
        """Return the release of a version that was built from this content, if there is one.

        Whatever else changed since: a release goes out twice as it did the first time.
        """
        labels = f"app.kubernetes.io/name={service},app.kubernetes.io/version={version},{RELEASE}"
        for found in self._cluster.list(self._names.core(service, "configmaps"), labels=labels):
            data = found.get("data") or {}
            if data.get("content") == content:
                return Release(service, version, data["digest"], commit=data["commit"] or None)
        return None

    def find(self, release: Release) -> Shipment:
        """Return what a release consists of; raise OperationError `build-missing`."""
        path = self._names.core(release.service, "configmaps", _name(release))
        found = self._cluster.get(path)
        if found is None:
            raise OperationError(
                "build-missing",
                f"the cluster does not know what {release.name} consists of: {path} is gone",
                hint=f"build it again: deployer rollout {release.name} --allow-older",
            )
        chart = base64.b64decode(found["binaryData"]["chart.tgz"])
        return Shipment(found["data"]["image"], chart)


def _name(release: Release) -> str:
    return f"release-{release.version.lower()}-{short(release)}"
