"""The target `local`: releases as processes of this machine, in two slots behind Traefik.

An instance is `python -m platform_kit.serve NAME` from the release's own virtual environment, on
ports that were free when it started. Nothing watches it afterwards but `up`, which puts right
whatever the records say should run and doesn't.
"""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import psutil
import urllib3

from deployer import metrics, runner
from deployer.environment import Environment
from deployer.errors import OperationError
from deployer.flags import Flags
from deployer.metrics import Crew, MetricsSource, Page
from deployer.metrics import Instance as MeasuredInstance
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.targets.in_force import await_in_force
from deployer.targets.local import logs, ports, processes
from deployer.targets.local.builds import Builds
from deployer.targets.local.postgres import Postgres
from deployer.targets.local.record import RecordStore
from deployer.targets.local.router import Router
from deployer.targets.migrating import migration_failure
from deployer.targets.protocol import (
    ALL_SAFEGUARDS,
    FailedRequest,
    InstanceStatus,
    Interrupted,
    InterruptedWait,
    Safeguards,
    Situation,
    SlotStatus,
)
from deployer.targets.record import Instance, ServiceRecord, SlotRecord

# Between the last traffic and the TERM: what the router took in before it switched has arrived.
SETTLE_SECONDS = 0.5
IN_FORCE_SECONDS = 10.0  # an instance looks at its flags ten times a second


class LocalTarget:
    """One environment on this machine, under one state folder."""

    def __init__(
        self,
        state: Path,
        environment: Environment,
        *,
        builds: Builds,
        internal: Callable[[ServiceName], tuple[str, ...]],
        safeguards: Safeguards = ALL_SAFEGUARDS,
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        self.state = state
        self.records = RecordStore(state / "services")
        self.router = Router(state, environment.ports)
        self.postgres = Postgres(state)
        self.builds = builds
        self._policy = environment.instance
        self._internal = internal
        self._safeguards = safeguards
        self._http = urllib3.PoolManager(
            maxsize=4, retries=False, timeout=urllib3.Timeout(connect=0.5, read=2.0)
        )

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        """Run the release's own migrations of a phase, and return the revisions it applied.

        Raises OperationError `migration-failed`, or `schema-ahead` on the schema of a newer release.
        """
        return self._run_migrations(release, "--phase", phase, told="applied")

    def revert(self, release: Release, *, to: str) -> tuple[str, ...]:
        """Take back the expand revisions after `to`, by the release's own downgrades.

        Returns them, newest first. Raises OperationError `migration-failed`.
        """
        return self._run_migrations(release, "--revert-to", to, told="reverted")

    def _run_migrations(self, release: Release, *options: str, told: str) -> tuple[str, ...]:
        program = (self.builds.python(release), "-m", "platform_kit.migrations")
        done = runner.run(
            (*program, release.service, *options),
            environment={**processes.UNWANTED, **self._service_environment(release.service)},
            cwd=self.state,
        )
        if done.code != 0:
            what = f"the migrations ({' '.join(options)})"
            raise migration_failure(release, what, done.tail)
        return tuple(json.loads(done.stdout.splitlines()[-1])[told])

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        """Have exactly that many ready instances of the release in the slot, and nothing else in it.

        Nothing is stopped before those that stay are ready and the router knows only them. With
        none the slot stays installed. Raises OperationError `never-ready` with the last log lines.
        """
        service = release.service
        held = self.records.read(service).slot(slot)
        if held is not None and not held.release.same_release(release):
            self.retire(service, slot, fence=fence)
        self._forget_lost(release, slot, instances, fence=fence)
        while len(self._instances(service, slot)) < instances:
            self._start_one(release, slot, fence=fence)
        kept = self._best(self._instances(service, slot), instances)
        for instance in kept:
            self._wait_ready(release, slot, instance, interrupted)
        self._keep(service, slot, kept, fence=fence)
        # Whether the other slot answers is not asked: after a crash it is started next.
        self._let_go(service, slot, answering=(slot,))

    def smoke(self, slot: Slot, release: Release) -> None:
        """See at every instance's own address that it answers, and as this release."""
        instances = self._instances(release.service, slot)
        if not instances:
            raise OperationError(
                "smoke-failed",
                f"{release.service} has no instance in the slot {slot} that could answer",
                hint="deployer up",
            )
        for instance in instances:
            url = f"http://{ports.LOOPBACK}:{instance.port}/api"
            try:
                answer = json.loads(self._http.request("GET", url).data)
            except (urllib3.exceptions.HTTPError, ValueError) as error:
                answer = {"error": str(error)}
            expected = {"service": release.service, "version": release.version, "slot": str(slot)}
            if answer != expected:
                raise OperationError(
                    "smoke-failed",
                    f"{release.name} ({slot}) answers {answer} at {url}, not as itself",
                    hint=f"read {self._log(release, slot)}",
                    details=processes.log_tail(self._log(release, slot)),
                )

    def shift(self, service: ServiceName, slot: Slot, weight: int, *, fence: Fence) -> None:
        """Give the slot `weight` percent and the other the rest; return when the router does it.

        Raises OperationError `slot-not-ready` when no instance could take what a slot would get.
        """
        shares = {slot: weight, slot.other: 100 - weight}
        self._require_ready(self.records.read(service), shares)

        def reweigh(record: ServiceRecord) -> ServiceRecord:
            for each, content in record.slots:
                record = record.with_slot(each, replace(content, weight=shares[each]))
            return record

        self.records.update(service, reweigh, fence=fence)
        self._publish(service)

    def promote(
        self, service: ServiceName, slot: Slot, *, standby_until: float | None, fence: Fence
    ) -> None:
        """Record the slot as the live one; the other is kept until `standby_until`."""
        self.records.update(
            service,
            lambda record: replace(record, live=slot, standby_until=standby_until),
            fence=fence,
        )

    def retire(self, service: ServiceName, slot: Slot, *, fence: Fence) -> None:
        """Drain and stop whatever is in the slot, and forget it."""
        self.records.update(service, lambda record: record.with_slot(slot, None), fence=fence)
        self._let_go(service, slot)

    def failing_requests(
        self, slot: Slot, release: Release, *, since: float, limit: int
    ) -> tuple[FailedRequest, ...]:
        """Return the newest requests that the release failed in the slot, oldest first."""
        return logs.failing_requests(self._log(release, slot), since=since, limit=limit)

    def situation(self, service: ServiceName, *, ask: bool = True) -> Situation:
        """Look at the service; an instance that hangs is waited for unless `ask` is false."""
        record = self.records.read(service)
        slots = tuple(self._slot_status(slot, content, ask=ask) for slot, content in record.slots)
        return Situation(service, record.live, slots, record.standby_until)

    @property
    def public_url(self) -> str:
        """The base address for customers."""
        return self.router.public_url

    @property
    def internal_url(self) -> str:
        """The base address for calls between services."""
        return self.router.internal_url

    def installed(self) -> tuple[ServiceName, ...]:
        """Return the services that were ever brought up here."""
        return self.records.services()

    def tend(self, service: ServiceName) -> tuple[str, ...]:
        """Nothing: whoever edits files under the state folder means it."""
        del service
        return ()

    def metrics(self, service: ServiceName, candidate: Slot) -> MetricsSource:
        """Return a source that reads the router and the instances of both slots."""
        return metrics.Scrape(
            service,
            candidate,
            router_urls=lambda: [self.router.metrics_url],
            instances_of=lambda slot: self._measured(service, slot),
        )

    def pages(self, service: ServiceName) -> Mapping[str, Page]:
        """Return the metrics pages of all the service's instances, by their addresses."""
        instances = [each for slot in Slot for each in self._measured(service, slot)]
        return metrics.pages_of(Crew(), self._http, instances)

    def flags(self, service: ServiceName) -> str | None:
        """Return the environment's file of the service's flags, None while there is none."""
        path = self._flags_file(service)
        return path.read_text(encoding="utf-8") if path.exists() else None

    def put_flags(self, service: ServiceName, flags: Flags, *, fence: Fence) -> None:
        """Write the environment's file, and return when all instances decide by it."""

        def write(record: ServiceRecord) -> ServiceRecord:
            path = self._flags_file(service)
            path.parent.mkdir(exist_ok=True)
            fresh = path.with_suffix(".new")
            fresh.write_text(flags.text, encoding="utf-8")
            fresh.replace(path)
            return record

        self.records.update(service, write, fence=fence)  # under its lock, and only by who may
        await_in_force(service, lambda: self.pages(service), flags.digest, seconds=IN_FORCE_SECONDS)

    def up(self, services: Sequence[ServiceName]) -> None:
        """Start the database and the router unless they run."""
        self.postgres.up(tuple(services))
        self.router.up()

    def require_usable(self, services: Sequence[ServiceName]) -> None:
        """Nothing: who may write the state folder may do all of it."""
        del services

    def heal(self, service: ServiceName) -> None:
        """Start again what the record says should run and doesn't: after a crash or a reboot."""
        record = self.records.read(service)
        # The live slot first: a candidate that does not come up must not keep it down.
        for slot, content in sorted(record.slots, key=lambda held: held[0] is not record.live):
            self.scale(
                slot,
                content.release,
                content.wanted,
                fence=record.fence,
                interrupted=lambda: False,
            )

    def processes(self) -> tuple[tuple[str, psutil.Process], ...]:
        """Return every process of this environment with its name, the database's too."""
        found = list(processes.ours(self.state))
        known = {process.pid for _, process in found}
        pid = self.postgres.pid()
        if pid is not None and psutil.pid_exists(pid) and pid not in known:
            server = psutil.Process(pid)
            found += [("postgres", each) for each in (server, *server.children(recursive=True))]
        return tuple(found)

    def down(self) -> None:
        """Stop every process of this environment; the records and the data stay."""
        for prefix in (*(f"{service}-" for service in self.records.services()), ""):
            found = [process for _, process in processes.ours(self.state, prefix=prefix)]
            processes.stop(found, grace_seconds=self._policy.drain_seconds)
        self.postgres.down()

    # Instances

    def _instances(self, service: ServiceName, slot: Slot) -> tuple[Instance, ...]:
        held = self.records.read(service).slot(slot)
        return held.instances if held else ()

    def _forget_lost(self, release: Release, slot: Slot, wanted: int, *, fence: Fence) -> None:
        def keep_running(record: ServiceRecord) -> ServiceRecord:
            held = record.slot(slot) or SlotRecord(release, wanted)
            running = tuple(i for i in held.instances if processes.running(i.pid, i.started))
            return record.with_slot(slot, replace(held, wanted=wanted, instances=running))

        self.records.update(release.service, keep_running, fence=fence)

    def _best(self, instances: tuple[Instance, ...], count: int) -> tuple[Instance, ...]:
        """Choose which instances stay: those that are ready, of these the oldest."""
        if count in {0, len(instances)}:
            return instances[:count]
        kept = sorted(instances, key=lambda each: not self._ready(each))[:count]
        return tuple(each for each in instances if each in kept)

    def _keep(
        self, service: ServiceName, slot: Slot, kept: tuple[Instance, ...], *, fence: Fence
    ) -> None:
        def without_the_rest(record: ServiceRecord) -> ServiceRecord:
            held = record.slot(slot)
            return record.with_slot(slot, held and replace(held, instances=kept))

        self.records.update(service, without_the_rest, fence=fence)

    def _start_one(self, release: Release, slot: Slot, *, fence: Fence) -> None:
        name = f"{release.service}-{slot}-{secrets.token_hex(4)}"
        if not self.builds.python(release).exists():
            raise OperationError(
                "build-missing",
                f"the build of {release.name} is gone from .deployer/releases",
                hint=f"build it again: deployer rollout {release.name} --allow-older",
            )
        port, admin_port = ports.free_ports(2)
        pid, started = processes.start(
            (self.builds.python(release), "-m", "platform_kit.serve", release.service),
            name=name,
            state=self.state,
            environment=self._instance_environment(release, slot, port, admin_port),
            log=self._log(release, slot),
        )
        instance = Instance(name, pid, started, port, admin_port)

        def add(record: ServiceRecord) -> ServiceRecord:
            held = record.slot(slot) or SlotRecord(release, 1)
            return record.with_slot(slot, replace(held, instances=(*held.instances, instance)))

        self.records.update(release.service, add, fence=fence)

    def _wait_ready(
        self, release: Release, slot: Slot, instance: Instance, interrupted: Interrupted
    ) -> None:
        deadline = time.monotonic() + self._policy.ready_seconds
        while not self._says_ready(instance):
            dead = not processes.alive(instance.pid, instance.started)
            if dead or time.monotonic() > deadline:
                how = "ended" if dead else f"is not ready after {self._policy.ready_seconds:g} s"
                log = self._log(release, slot)
                raise OperationError(
                    "never-ready",
                    f"{release.name} ({slot}) {how}",
                    hint=f"read {log}",
                    details=processes.log_tail(log),
                )
            if interrupted():
                raise InterruptedWait
            time.sleep(0.05)

    def _ready(self, instance: Instance) -> bool:
        # One that was stopped would be waited for in vain.
        return processes.running(instance.pid, instance.started) and self._says_ready(instance)

    def _says_ready(self, instance: Instance) -> bool:
        try:
            url = f"http://{ports.LOOPBACK}:{instance.admin_port}/ready"
            return self._http.request("GET", url).status == 200
        except urllib3.exceptions.HTTPError:
            return False

    def _require_ready(self, record: ServiceRecord, shares: Mapping[Slot, int]) -> None:
        """Refuse to give traffic to a slot that can't take it while the other can.

        What takes traffic away from such a slot is never refused, whatever it leaves there.
        """
        for slot, share in shares.items():
            held = record.slot(slot)
            if share == 0 or (held and share < held.weight) or self._any_ready(held):
                continue
            if self._any_ready(record.slot(slot.other)):
                raise self._not_ready(record, slot, share)

    def _not_ready(self, record: ServiceRecord, slot: Slot, share: int) -> OperationError:
        held = record.slot(slot)
        log = self._log(held.release, slot) if held else None
        return OperationError(
            "slot-not-ready",
            f"no instance of {held.release.name if held else record.service} ({slot}) is ready"
            f" to take {share} % of the traffic",
            hint=f"read {log}" if log else "deployer status",
            details=processes.log_tail(log) if log else (),
        )

    def _any_ready(self, content: SlotRecord | None) -> bool:
        return any(self._ready(each) for each in (content.instances if content else ()))

    def _let_go(
        self, service: ServiceName, slot: Slot, *, answering: tuple[Slot, ...] = tuple(Slot)
    ) -> None:
        """Stop what runs in a slot and is not in its record: out of the router first."""
        if not self._safeguards.drain:  # as a plain stop would: at once, whoever still calls
            self._stop_strays(service, slot)
        self._publish(service, answering=answering)
        self._stop_strays(service, slot)

    def _stop_strays(self, service: ServiceName, slot: Slot) -> None:
        """Drain and stop the processes of a slot that its record does not know."""
        known = {instance.id for instance in self._instances(service, slot)}
        found = [
            (name, process)
            for name, process in processes.ours(self.state, prefix=f"{service}-{slot}-")
            if name not in known
        ]
        if not found:
            return
        if self._safeguards.drain:
            # Whoever left them may have died just after they left the router, or before.
            time.sleep(SETTLE_SECONDS)
            # The TERM goes to the gunicorn master: it drains the worker, which must not get one too.
            processes.stop(_masters(found), grace_seconds=self._policy.drain_seconds)
        processes.stop([process for _, process in found], grace_seconds=0)

    def _slot_status(self, slot: Slot, content: SlotRecord, *, ask: bool) -> SlotStatus:
        instances = tuple(
            InstanceStatus(
                each.id, each.pid, each.port, each.admin_port, ready=ask and self._ready(each)
            )
            for each in content.instances
        )
        return SlotStatus(slot, content.release, content.weight, content.wanted, instances)

    # Surroundings

    def _publish(self, service: ServiceName, *, answering: tuple[Slot, ...] = tuple(Slot)) -> None:
        """Give the router what the record says, and wait until it serves so."""
        with self.records.locked(service):
            record = self.records.read(service)
            self.router.write(record, internal=self._internal(service))
        if self._safeguards.barrier:
            self.router.confirm(record, answering=answering)

    def _measured(self, service: ServiceName, slot: Slot) -> tuple[MeasuredInstance, ...]:
        return tuple(
            MeasuredInstance(f"http://{ports.LOOPBACK}:{each.admin_port}", each.started)
            for each in self._instances(service, slot)
        )

    def _flags_file(self, service: ServiceName) -> Path:
        return self.state / "flags" / f"{service}.json"

    def _service_environment(self, service: ServiceName) -> dict[str, str]:
        prefix = service.upper().replace("-", "_")
        return {
            f"{prefix}_DATABASE_URL": self.postgres.url(service),
            f"{prefix}_ROUTER_URL": self.router.internal_url,
        }

    def _instance_environment(
        self, release: Release, slot: Slot, port: int, admin_port: int
    ) -> dict[str, str]:
        policy = self._policy
        return {
            **self._service_environment(release.service),
            "PLATFORM_VERSION": release.version,
            "PLATFORM_SLOT": str(slot),
            "PLATFORM_HOST": ports.LOOPBACK,
            "PLATFORM_PORT": str(port),
            "PLATFORM_ADMIN_PORT": str(admin_port),
            "PLATFORM_THREADS": str(policy.threads),
            "PLATFORM_MEMORY_LIMIT_MB": str(policy.memory_limit_mb),
            "PLATFORM_CPU_LIMIT": str(policy.cpu_limit),
            "PLATFORM_DRAIN_SECONDS": str(policy.drain_seconds),
            "PLATFORM_FAULTS_ALLOWED": str(policy.faults_allowed).lower(),
            "PLATFORM_FLAGS_FILE": str(self._flags_file(release.service).resolve()),
            # glibc keeps an arena a thread otherwise: 64 MB of address space each, never returned.
            "MALLOC_ARENA_MAX": "2",
            # And it keeps freed blocks of up to 32 MB for the next time, a password hash's 19 MB
            # among them, unless the size from which blocks go back at once is fixed.
            "MALLOC_MMAP_THRESHOLD_": "1048576",
            **dict(release.configuration),
        }

    def _log(self, release: Release, slot: Slot) -> Path:
        return self.state / "logs" / f"{release.service}-{slot}-{release.version}.log"


def _masters(found: Iterable[tuple[str, psutil.Process]]) -> list[psutil.Process]:
    everyone = list(found)
    pids = {process.pid for _, process in everyone}
    masters = []
    for _, process in everyone:
        try:
            if process.ppid() not in pids:
                masters.append(process)
        except psutil.NoSuchProcess:
            continue
    return masters
