"""Installs what a release consists of: its chart, with the values of slot and environment."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import yaml

from deployer.cluster import Object
from deployer.environment import Environment
from deployer.errors import OperationError
from deployer.model import Release, ServiceName, Slot
from deployer.targets.kubernetes.helm import Helm
from deployer.targets.kubernetes.names import Names, short
from deployer.targets.kubernetes.shipments import Shipments


class Charts:
    """The Helm releases of an environment's services."""

    def __init__(
        self, helm: Helm, names: Names, shipments: Shipments, environment: Environment
    ) -> None:
        self._helm = helm
        self._names = names
        self._shipments = shipments
        self._environment = environment

    def install_slot(self, slot: Slot, release: Release) -> None:
        """Have a release's objects in a slot, with one pod until it is scaled."""
        values = {
            "part": "slot",
            "slot": str(slot),
            "configuration": dict(release.configuration),
        }
        self._install(release, f"{release.service}-{slot}", values)

    def remove_slot(self, service: ServiceName, slot: Slot) -> None:
        """Remove whatever is in a slot."""
        self._helm.uninstall(f"{service}-{slot}", namespace=self._names.namespace(service))

    def install_service(self, release: Release) -> None:
        """Have what both slots share; of a whole chart installed here, only that is left."""
        self._install(release, release.service, {"part": "service"})

    def part_installed(self, service: ServiceName) -> str | None:
        """Return which part of the chart is installed under the service's name, if one is."""
        values = self._helm.values(service, namespace=self._names.namespace(service))
        return None if values is None else str(values.get("part", "all"))

    def migration(self, release: Release, phase: str) -> Object:
        """Return the Job that migrates."""
        name = f"{release.service}-migrate"
        shipment = self._shipments.find(release)
        with shipment.unpacked() as chart:
            text = self._helm.template(
                name,
                chart,
                namespace=self._names.namespace(release.service),
                values=self._values(release, shipment.image, {"part": "migration", "phase": phase}),
                files=self._files(chart),
            )
        jobs = [each for each in yaml.safe_load_all(text) if each and each["kind"] == "Job"]
        if len(jobs) != 1:
            raise OperationError(
                "chart-broken",
                f"the chart of {release.name} has {len(jobs)} Jobs in part=migration, not one",
                hint="helm template charts/<service> --set part=migration",
            )
        job: Object = jobs[0]
        return job

    def _install(self, release: Release, name: str, values: Mapping[str, object]) -> None:
        shipment = self._shipments.find(release)
        with shipment.unpacked() as chart:
            self._helm.install(
                name,
                chart,
                namespace=self._names.namespace(release.service),
                values=self._values(release, shipment.image, values),
                files=self._files(chart),
            )

    def _values(
        self, release: Release, image: str, values: Mapping[str, object]
    ) -> dict[str, object]:
        policy, instance = self._environment.kubernetes, self._environment.instance
        return {
            "image": image,
            "version": release.version,
            "release": short(release),
            "record": json.dumps({"version": release.version, "commit": release.commit}),
            "routerUrl": policy.internal_url.format(environment=self._environment.name),
            "drainSeconds": instance.drain_seconds,
            "threads": instance.threads,
            "faultsAllowed": instance.faults_allowed,
            **values,
        }

    def _files(self, chart: Path) -> tuple[Path, ...]:
        own = chart / f"values-{self._environment.name}.yaml"
        return (own,) if own.exists() else ()
