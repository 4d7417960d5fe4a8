"""The target `kubernetes`: a slot is a Helm release, the traffic an HTTPRoute's weights.

What should run is in the record (`state.py`); everything else is made to be so, in an order that
loses no request: pods ready, then their weight, seen at the Gateways, then whatever is left over
goes. Nothing on the way back asks Helm, or the slot that the traffic leaves.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from deployer.cluster import Cluster, Object, ObjectChanged, annotation, in_pod, metadata
from deployer.environment import Environment
from deployer.errors import InputError, OperationError
from deployer.flags import Flags
from deployer.ledger import StaleFenceError
from deployer.metrics import Crew, MetricsSource, Page, pages_of
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.programs import require_helm
from deployer.rights import SERVICE_RIGHTS, require_rights
from deployer.targets import request_log
from deployer.targets.in_force import await_in_force
from deployer.targets.kubernetes.charts import Charts
from deployer.targets.kubernetes.definitions import Definitions
from deployer.targets.kubernetes.helm import Helm
from deployer.targets.kubernetes.migration import Migrations
from deployer.targets.kubernetes.names import FENCE, HTTP_PORT, MINIMUM, RELEASE, Names, short
from deployer.targets.kubernetes.platform import Platform
from deployer.targets.kubernetes.pods import Pods, instance_of, is_ready
from deployer.targets.kubernetes.routes import Routes
from deployer.targets.kubernetes.shipments import Shipments
from deployer.targets.kubernetes.sources import instances_of, source_of
from deployer.targets.kubernetes.state import States
from deployer.targets.protocol import (
    ALL_SAFEGUARDS,
    FailedRequest,
    Interrupted,
    InterruptedWait,
    Safeguards,
    Situation,
    SlotStatus,
)
from deployer.targets.record import ServiceRecord, SlotRecord

TRY_SECONDS = 0.2
# Between the last weight and the end of a slot: what the Gateway took in before has arrived.
SETTLE_SECONDS = 1.0
LOG_SECONDS = 3600
IN_FORCE_SECONDS = 120.0  # a kubelet that is not told looks after its sync period of a minute


class KubernetesTarget:
    """One environment in one cluster."""

    def __init__(
        self,
        cluster: Cluster,
        environment: Environment,
        *,
        services: Sequence[ServiceName],
        charts: Path,
        hidden: Callable[[ServiceName], tuple[str, ...]],
        safeguards: Safeguards = ALL_SAFEGUARDS,
    ) -> None:
        self.names = Names.of(environment)
        self.states = States(cluster, self.names)
        self.routes = Routes(cluster, self.names, hidden=hidden)
        self.pods = Pods(cluster, self.names)
        self._cluster = cluster
        self._environment = environment
        self._services = tuple(services)
        self._safeguards = safeguards
        self._definitions = Definitions(cluster, self.names)
        helm = Helm(cluster, "" if in_pod() else environment.kubernetes.context)
        shipments = Shipments(cluster, self.names)
        self._charts = Charts(helm, self.names, shipments, environment)
        self._migrations = Migrations(cluster, self.names, self._charts)
        self._platform = Platform(cluster, helm, self.names, charts)

    # What the driver asks for.

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        """Run the release's own migrations of a phase, and return the revisions it applied."""
        self._require_service(release)  # the Job needs its ServiceAccount
        return self._migrations.run(release, phase)

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        """Have that many ready pods of the release in the slot, and nothing else in it.

        Raises OperationError with the reason when they do not come up: `image-not-pulled`,
        `crash-loop`, `out-of-memory`, `quota-exceeded`, `pods-refused`, `never-ready`.
        """
        service = release.service
        held = self.states.read(service).slot(slot)
        if held is not None and not held.release.same_release(release):
            self.retire(service, slot, fence=fence)
            held = None

        def want(record: ServiceRecord) -> ServiceRecord:
            before = record.slot(slot) or SlotRecord(release, instances)
            return record.with_slot(slot, replace(before, wanted=instances))

        self.states.update(service, want, fence=fence)
        deployment = self._cluster.get(self.names.deployment(service, slot))
        if deployment is None or not self._is_of(deployment, release):
            self._require_service(release)
            if deployment is not None:  # somebody else's, or a killed Helm's: its selector is fixed
                self._charts.remove_slot(service, slot)
            self._charts.install_slot(slot, release)
        self._set_instances(service, slot, instances, fence=fence)
        self._wait_ready(release, slot, instances, interrupted)

    def smoke(self, slot: Slot, release: Release) -> None:
        """See at every pod's own port that it answers, and as this release."""
        pods = [pod for pod in self.pods.of(release.service, slot, release) if is_ready(pod)]
        if not pods:
            raise OperationError(
                "smoke-failed",
                f"{release.service} has no pod in the slot {slot} that could answer",
                hint="deployer up",
            )
        expected = {"service": release.service, "version": release.version, "slot": str(slot)}
        for pod in pods:
            name = str(metadata(pod)["name"])
            proxy = self.names.pod_proxy(release.service, name, HTTP_PORT)
            answer = self._read(f"{proxy}/api")
            if answer != expected:
                raise OperationError(
                    "smoke-failed",
                    f"{release.name} ({slot}) answers {answer} in {name}, not as itself",
                    hint=f"kubectl logs -n {self.names.namespace(release.service)} {name}",
                    details=self.pods.last_words(release.service, pod),
                )

    def shift(self, service: ServiceName, slot: Slot, weight: int, *, fence: Fence) -> None:
        """Give the slot `weight` percent and the other the rest; return when the Gateways do it."""
        shares = {slot: weight, slot.other: 100 - weight}
        before = self.states.read(service)
        self._require_ready(before, shares)
        # Of the slot that the traffic leaves nothing is expected.
        gaining = tuple(each for each, held in before.slots if shares[each] > held.weight)

        def reweigh(record: ServiceRecord) -> ServiceRecord:
            for each, content in record.slots:
                record = record.with_slot(each, replace(content, weight=shares[each]))
            return record

        record = self.states.update(service, reweigh, fence=fence)
        # Pods that crash meanwhile would be waited for, and their customers with them.
        self._publish(record, answering=gaining, while_=lambda: self._require_ready(before, shares))

    def promote(
        self, service: ServiceName, slot: Slot, *, standby_until: float | None, fence: Fence
    ) -> None:
        """Record the slot as the live one; the other is kept until `standby_until`.

        What a whole chart (`part=all`) installed here before goes now: nothing calls it any more.
        """
        record = self.states.update(
            service,
            lambda record: replace(record, live=slot, standby_until=standby_until),
            fence=fence,
        )
        self.routes.write(record)
        self.tend(service)
        self._unpin(service, slot, fence=fence)
        held = record.slot(slot)
        if held is not None and self._charts.part_installed(service) == "all":
            time.sleep(SETTLE_SECONDS)
            self._charts.install_service(held.release)

    def retire(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        """Take whatever is in the slot out of the routes, then drain and remove it."""
        record = self.states.update(
            service, lambda record: record.with_slot(slot, None), fence=fence
        )
        if record.slots:
            self._publish(record, answering=(slot.other,))
        if self._safeguards.drain:
            time.sleep(SETTLE_SECONDS)
        self._charts.remove_slot(service, slot)
        if record.live is slot.other:
            self._unpin(service, slot.other, fence=fence)

    def failing_requests(
        self, slot: Slot, release: Release, *, since: float, limit: int
    ) -> tuple[FailedRequest, ...]:
        """Return the newest requests that the release failed in the slot, oldest first."""
        seconds = min(LOG_SECONDS, max(1, round(time.time() - since) + 1))
        text = "\n".join(
            self.pods.log(
                release.service, str(metadata(pod)["name"]), query=f"sinceSeconds={seconds}"
            )
            for pod in self.pods.of(release.service, slot, release)
        )
        return request_log.failing_requests(text, since=since, limit=limit)

    def situation(self, service: ServiceName, *, ask: bool = True) -> Situation:
        """Look at the service."""
        del ask  # the kubelets have asked already
        record = self.states.read(service)
        slots = tuple(self._status(service, slot, held) for slot, held in record.slots)
        return Situation(service, record.live, slots, record.standby_until)

    # What the commands ask for.

    def revert(self, release: Release, *, to: str) -> tuple[str, ...]:
        """Take back the expand revisions after `to`, by the release's own downgrades; newest first.

        Raises OperationError `migration-failed`.
        """
        return self._migrations.revert(release, to)

    @property
    def public_url(self) -> str:
        """The base address for customers."""
        return self._environment.kubernetes.public_url

    @property
    def internal_url(self) -> str:
        """The base address for calls between services, as seen from this machine."""
        return self._environment.kubernetes.probe_url

    def up(self, services: Sequence[ServiceName]) -> None:
        """Have namespaces, Gateways, identities, and for development a database."""
        self._platform.up(services)

    def down(self) -> None:
        """Refuse: others may use what is in a cluster."""
        raise InputError(
            "not-on-this-machine",
            f"{self._environment.name} runs in a cluster: down stops what runs on this machine",
            hint=f"kubectl delete namespace {' '.join(map(self.names.namespace, self._services))}",
        )

    def installed(self) -> tuple[ServiceName, ...]:
        """Return the services that were ever brought up here."""
        return tuple(service for service in self._services if self.states.exists(service))

    def metrics(self, service: ServiceName, candidate: Slot) -> MetricsSource:
        """Return a source that reads both slots of a service."""
        return source_of(
            self._cluster, self.names, self.pods, self.states, service, candidate=candidate
        )

    def pages(self, service: ServiceName) -> Mapping[str, Page]:
        """Return the metrics pages of all the service's pods, by their addresses."""
        cluster, names, pods, states = self._cluster, self.names, self.pods, self.states
        instances = [
            each
            for slot in Slot
            for each in instances_of(cluster, names, pods, states, service, slot)
        ]
        return pages_of(Crew(), cluster.pages, instances)

    def flags(self, service: ServiceName) -> str | None:
        """Return the environment's file of the service's flags, None while there is none."""
        return self._definitions.read(service)

    def put_flags(self, service: ServiceName, flags: Flags, *, fence: Fence) -> None:
        """Write the ConfigMap, and return when all pods decide by it."""
        record = self.states.update(service, lambda record: record, fence=fence)
        self._definitions.write(service, flags)
        for slot, held in record.slots:
            self._definitions.touch(service, self.pods.of(service, slot, held.release), flags)
        await_in_force(service, lambda: self.pages(service), flags.digest, seconds=IN_FORCE_SECONDS)

    def require_usable(self, services: Sequence[ServiceName]) -> None:
        """See that Helm and Gateways are there, and that we have every right in the services' namespaces.

        Raises OperationError `helm-missing`, `helm-too-old`, `gateway-missing` or `rights-missing`.
        """
        require_helm()
        self.routes.require_gateways()
        for service in services:
            require_rights(self._cluster, self.names.namespace(service), SERVICE_RIGHTS)

    def heal(self, service: ServiceName) -> None:
        """Have in the slots and the routes what the record says, the live slot first."""
        record = self.states.read(service)
        for slot, held in sorted(record.slots, key=lambda each: each[0] is not record.live):
            self.scale(
                slot, held.release, held.wanted, fence=record.fence, interrupted=lambda: False
            )
        if record.slots:
            self._publish(record)

    def tend(self, service: ServiceName) -> tuple[str, ...]:
        """Put right what somebody else changed by hand; return a sentence for each such thing.

        And have the slot that is on standby as large as the live one is now: an autoscaler may have
        made that larger.
        """
        record = self.states.read(service)
        told = self.routes.strayed(record) if record.slots and record.live else ()
        if told:
            self.routes.write(record)
        if record.live is not None and record.standby_until is not None:
            self._follow(service, record, record.live)
        return told

    # Slots

    def _follow(self, service: ServiceName, record: ServiceRecord, live: Slot) -> None:
        held = record.slot(live.other)
        running = self._cluster.get(self.names.deployment(service, live))
        if held is None or not held.wanted or running is None:
            return
        size = int(running["spec"].get("replicas", 1))
        if size > held.wanted:
            self._set_instances(service, live.other, size, fence=record.fence)

    def _require_service(self, release: Release) -> None:
        """Have what both slots share, unless it is there, of this chart or of a whole one."""
        account = self.names.core(release.service, "serviceaccounts", release.service)
        if self._cluster.get(account) is None:
            self._charts.install_service(release)

    def _is_of(self, deployment: Object, release: Release) -> bool:
        labels = metadata(deployment).get("labels") or {}
        return bool(labels.get(RELEASE) == short(release))

    def _set_instances(
        self, service: ServiceName, slot: Slot, instances: int, *, fence: Fence
    ) -> None:
        """Pin the autoscaler's floor and set the number of pods; refuse an earlier holder's wish."""
        self._write(
            self.names.autoscaler(service, slot),
            lambda found: {
                "metadata": {"annotations": {MINIMUM: str(_minimum(found))}},
                "spec": {
                    "minReplicas": max(1, instances),
                    "maxReplicas": max(1, instances, int(found["spec"]["maxReplicas"])),
                },
            },
            service,
            fence,
        )
        self._write(
            self.names.deployment(service, slot),
            lambda _found: {"spec": {"replicas": instances}},
            service,
            fence,
        )

    def _write(
        self,
        path: str,
        change: Callable[[Object], Object],
        service: ServiceName,
        fence: Fence,
    ) -> None:
        while True:
            found = self._cluster.get(path)
            if found is None:
                return
            if int(annotation(found, FENCE) or 0) > fence:
                raise StaleFenceError(service, fence)
            body = dict(change(found))
            given = body.get("metadata", {}).get("annotations", {})
            body["metadata"] = {
                "resourceVersion": metadata(found)["resourceVersion"],
                "annotations": {**given, FENCE: str(fence)},
            }
            try:
                self._cluster.patch(path, body)
            except ObjectChanged:
                continue
            return

    def _unpin(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        """Give an autoscaler its own floor back: the rollout is over, and load may fall."""
        self._write(
            self.names.autoscaler(service, slot),
            lambda found: {"spec": {"minReplicas": _minimum(found)}},
            service,
            fence,
        )

    def _wait_ready(
        self, release: Release, slot: Slot, instances: int, interrupted: Interrupted
    ) -> None:
        """Wait until the Deployment has exactly so many ready pods."""
        seconds = self._environment.instance.ready_seconds
        deadline = time.monotonic() + seconds
        path = self.names.deployment(release.service, slot)
        while True:
            deployment = self._cluster.get(path) or {"status": {}, "spec": {}}
            if _ready(deployment) >= instances and _settled(deployment, instances):
                return
            self.pods.require_hopeful(release.service, slot, release, deployment)
            if time.monotonic() > deadline:
                raise self._never_ready(release, slot, seconds)
            if interrupted():
                raise InterruptedWait
            time.sleep(TRY_SECONDS)

    def _never_ready(self, release: Release, slot: Slot, seconds: float) -> OperationError:
        pods = [p for p in self.pods.of(release.service, slot, release) if not is_ready(p)]
        conditions = (pods[0].get("status") or {}).get("conditions", ()) if pods else ()
        why = [str(c["message"]) for c in conditions if c.get("message")]
        return OperationError(
            "never-ready",
            f"{release.name} ({slot}) is not ready after {seconds:g} s"
            + (f": {why[0]}" if why else ""),
            hint=f"kubectl describe pods -n {self.names.namespace(release.service)}"
            f" -l deployer/slot={slot}",
            details=self.pods.last_words(release.service, pods[0]) if pods else (),
        )

    def _status(self, service: ServiceName, slot: Slot, held: SlotRecord) -> SlotStatus:
        pods = self.pods.of(service, slot, held.release)
        wanted = held.wanted
        if wanted:  # an autoscaler may have made it more
            wanted = max(wanted, len(pods))
        instances = tuple(instance_of(pod) for pod in pods)
        return SlotStatus(slot, held.release, held.weight, wanted, instances)

    def _require_ready(self, record: ServiceRecord, shares: Mapping[Slot, int]) -> None:
        """Refuse to give traffic to a slot that can't take it while the other can."""
        for slot, share in shares.items():
            held = record.slot(slot)
            if share == 0 or (held and share < held.weight):
                continue
            if self._any_ready(record, slot) or not self._any_ready(record, slot.other):
                continue
            what = held.release.name if held else record.service
            raise OperationError(
                "slot-not-ready",
                f"no pod of {what} ({slot}) is ready to take {share} % of the traffic",
                hint=f"kubectl get pods -n {self.names.namespace(record.service)}",
            )

    def _any_ready(self, record: ServiceRecord, slot: Slot) -> bool:
        held = record.slot(slot)
        return held is not None and any(
            is_ready(pod) for pod in self.pods.of(record.service, slot, held.release)
        )

    def _publish(
        self,
        record: ServiceRecord,
        *,
        answering: tuple[Slot, ...] = tuple(Slot),
        while_: Callable[[], None] = lambda: None,
    ) -> None:
        self.routes.write(record)
        if self._safeguards.barrier:
            self.routes.confirm(record, answering=answering, while_=while_)

    def _read(self, path: str) -> object:
        text = self._cluster.text(path)
        try:
            return json.loads(text)
        except ValueError:
            return {"error": text[:200]}


def _minimum(autoscaler: Object) -> int:
    """Return an autoscaler's own floor, also while ours is in its place."""
    own = annotation(autoscaler, MINIMUM)
    return int(own) if own is not None else int(autoscaler["spec"].get("minReplicas", 1))


def _ready(deployment: Object) -> int:
    return int(deployment["status"].get("readyReplicas", 0))


def _settled(deployment: Object, instances: int) -> bool:
    """Whether the Deployment's controller has seen the wish, and runs no more than that."""
    seen = deployment["status"].get("observedGeneration") == metadata(deployment).get("generation")
    autoscaled = int(deployment["spec"].get("replicas", 1))
    return bool(seen) and int(deployment["status"].get("replicas", 0)) <= max(instances, autoscaled)
