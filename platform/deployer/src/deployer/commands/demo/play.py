"""The demo itself: five scenes, on an environment of its own under `.deployer/demo`.

The subject is the service that has a recorded release before its present version: it goes from that
one to the present one, and then to one that begins to fail. All others must not notice.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from urllib.parse import urlsplit

import psutil
import urllib3

from deployer.commands.context import Context
from deployer.commands.demo.report import (
    BadRelease,
    Promotion,
    Report,
    bad_release_of,
    promotion_of,
    served_by_version,
)
from deployer.commands.demo.story import Customer, Story, stories
from deployer.commands.demo.traffic import Answer, Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.commands.up import down, up
from deployer.engine import Event, Phase, Rollout
from deployer.errors import InputError, OperationError
from deployer.model import ServiceName
from deployer.releases import Version
from deployer.targets.local import processes

SUBJECT_PER_SECOND = 100.0
OTHERS_PER_SECOND = 20.0
FAULT_SHARE = 0.2
# Late enough that the bad release looks well at first, early enough for a story to be watched.
FAULT_AFTER_SECONDS = 6.0
STEADY_SECONDS = 2.0  # of traffic after a scene, so that what comes late is counted too


@dataclass(slots=True)
class Scene:
    """What the live table shows. Changed by the play, read by whoever draws."""

    title: str = ""
    services: tuple[ServiceName, ...] = ()
    live: dict[ServiceName, str] = field(default_factory=dict)
    rollout: Rollout | None = None
    traffic: tuple[Traffic, ...] = ()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """Every answer of the traffic, in the order of time."""
        found = (answer for traffic in self.traffic for answer in traffic.answers)
        return tuple(sorted(found, key=lambda answer: answer.at))


@dataclass(frozen=True, slots=True)
class Cast:
    """The subject and its three versions, and everybody else."""

    subject: ServiceName
    old: Wanted
    good: Wanted
    bad: Wanted
    others: tuple[ServiceName, ...]


class Play:
    """One performance. Made for one call of `perform`."""

    def __init__(self, context: Context, scene: Scene, *, tell: Callable[[str], None]) -> None:
        self._context = context
        self._scene = scene
        self._tell = tell
        self._stories = stories(context.workspace)
        self._cast = cast_of(context, self._stories)
        self._verdict_at: float | None = None

    def perform(self) -> Report:
        """Play from an empty environment to none; the environment is gone afterwards in any case."""
        down(self._context)
        shutil.rmtree(self._context.state, ignore_errors=True)
        # What was opened in the folder is gone with it.
        self._context = context = replace(self._context)
        began = time.monotonic()
        try:
            report = self._perform()
        finally:
            down(context)
        report = replace(report, story_seconds=round(time.monotonic() - began, 1))
        path = context.workspace.root / ".deployer" / "demo.json"
        path.write_text(json.dumps(asdict(report), indent=2) + "\n")
        return report

    def _perform(self) -> Report:
        cast, scene = self._cast, self._scene
        up_seconds = self._come_up()
        with self._traffic(self._meet_customer()):
            others = {service: self._fingerprint(service) for service in cast.others}
            promotion = self._good_release()
            pss_mb, slot_mb = memory_of(self._context)
            bad_release = self._bad_release()
            same = {service: self._fingerprint(service) == others[service] for service in others}
        self._title("5. The end")
        answers = scene.answers
        return Report(
            up_seconds=round(up_seconds, 1),
            story_seconds=0.0,
            pss_mb=round(pss_mb, 1),
            slot_mb=slot_mb,
            promotion=promotion,
            bad_release=bad_release,
            untouched={service: same[service] and _all_ok(answers, service) for service in same},
            served=served_by_version(answers),
        )

    def _come_up(self) -> float:
        cast, context = self._cast, self._context
        self._title(f"1. The stack comes up, with {cast.subject} {cast.old.version}")
        began = time.monotonic()
        up(context, {cast.subject: cast.old})
        seconds = time.monotonic() - began
        self._scene.services = context.workspace.services
        for service in context.workspace.services:
            status = context.target.situation(service).serving
            self._scene.live[service] = status.release.version if status else "-"
        self._tell(f"   {len(self._scene.services)} services ready after {seconds:.1f} s")
        return seconds

    def _meet_customer(self) -> Customer:
        self._title("2. A customer comes by, and steady traffic begins")
        target = self._context.target
        customer = Customer(target.public_url, target.internal_url)
        with urllib3.PoolManager(retries=False, timeout=10.0) as http:
            for story in self._stories:
                for step in story.steps:
                    customer.play(step, http)
                    self._tell(f"   {story.service}: {step.says or step.path}")
        return customer

    def _good_release(self) -> Promotion:
        cast = self._cast
        self._title(f"3. {cast.subject} goes to {cast.good.version} by canary")
        first, began = time.time(), time.monotonic()
        _require(self._roll_out(cast.good), Phase.PROMOTED)
        seconds = time.monotonic() - began
        time.sleep(STEADY_SECONDS)
        result = promotion_of(self._since(first), seconds=seconds)
        self._tell(
            f"   promoted after {seconds:.1f} s; {result.failed} of {result.requests} requests lost"
        )
        return result

    def _bad_release(self) -> BadRelease:
        cast = self._cast
        self._title(f"4. {cast.bad.version} comes, and soon answers {FAULT_SHARE:.0%} errors")
        first = time.time()
        state = _require(self._roll_out(cast.bad), Phase.ROLLED_BACK)
        self._tell(f"   rolled back: {state.cause}")
        time.sleep(STEADY_SECONDS)
        return bad_release_of(
            self._since(first),
            version=str(cast.bad.version),
            verdict_at=self._verdict_at or time.time(),
        )

    def _roll_out(self, wanted: Wanted) -> Rollout | None:
        (state,) = rollout(self._context, [wanted], listen=self._hear)
        return state

    def _hear(self, state: Rollout, event: Event | None) -> None:
        if state.phase is Phase.GUARDING and event is not None and self._verdict_at is None:
            self._verdict_at = event.at
        if state.phase is Phase.PROMOTED:
            self._scene.live[state.order.service] = state.order.candidate.version
        self._scene.rollout = None if state.over else state

    def _title(self, text: str) -> None:
        self._scene.title = text
        self._tell(text)

    def _since(self, at: float) -> tuple[Answer, ...]:
        return tuple(answer for answer in self._scene.answers if answer.at >= at)

    @contextmanager
    def _traffic(self, customer: Customer) -> Iterator[None]:
        subject = [c for s in self._stories for c in s.traffic if s.service == self._cast.subject]
        others = [c for s in self._stories for c in s.traffic if s.service != self._cast.subject]
        streams = [Traffic(customer, subject, per_second=SUBJECT_PER_SECOND)] if subject else []
        streams += [Traffic(customer, others, per_second=OTHERS_PER_SECOND)] if others else []
        self._scene.traffic = tuple(streams)
        for stream in streams:
            stream.start()
        try:
            yield
        finally:
            for stream in streams:
                stream.stop()

    def _fingerprint(self, service: ServiceName) -> object:
        """What must stay the same of a service nobody touches: its processes and its route."""
        record = self._context.local.records.read(service)
        alive = {process.pid: process.create_time() for _, process in self._processes(service)}
        route = self._context.state / "router" / "services" / f"{service}.yml"
        return record, alive, route.read_text(), route.stat().st_mtime_ns

    def _processes(self, service: ServiceName) -> Iterator[tuple[str, psutil.Process]]:
        return processes.ours(self._context.state, prefix=f"{service}-")


def cast_of(context: Context, told: Sequence[Story]) -> Cast:
    """Choose the subject and its versions; raise InputError when no service has a release to leave.

    One that is only read comes first: passwords or orders would keep a small machine's CPU so busy
    that the good release is taken for a bad one.

    The bad release is the present code, told to fail on the path that its traffic calls: a fault
    that only its own callers meet, so that a customer of another service must not notice.
    """
    workspace = context.workspace
    for story in sorted(told, key=_writes):
        declared = workspace.declaration(story.service).version
        earlier = [each.version for each in workspace.released(story.service)]
        earlier = [version for version in earlier if version < declared]
        if earlier and story.traffic:
            bad = Version(declared.major, declared.minor, declared.patch + 1)
            path = urlsplit(story.traffic[0].path).path.removeprefix(f"/{story.service}")
            return Cast(
                subject=story.service,
                old=Wanted(story.service, earlier[-1]),
                good=Wanted(story.service, declared),
                bad=Wanted(story.service, bad, _faults(path), same_code_as_tree=True),
                others=tuple(each for each in workspace.services if each != story.service),
            )
    raise InputError(
        "nothing-to-show",
        "no service has a recorded release before its present version and traffic in its story",
        hint="record one in services/<name>/releases.toml, and raise the version",
    )


def _writes(story: Story) -> bool:
    return any(call.method != "GET" for call in story.traffic)


def _faults(path: str) -> tuple[tuple[str, str], ...]:
    return (
        ("PLATFORM_FAULT_AFTER_SECONDS", str(FAULT_AFTER_SECONDS)),
        ("PLATFORM_FAULT_ERROR_SHARE", str(FAULT_SHARE)),
        ("PLATFORM_FAULT_PATH", path),
    )


def memory_of(context: Context) -> tuple[float, dict[str, float]]:
    """Return the memory of the whole stack with this process, and of each slot, in MB (PSS)."""
    everyone = context.local.processes()
    slots: dict[str, list[psutil.Process]] = {}
    for name, process in everyone:
        slots.setdefault(name.rpartition("-")[0] or name, []).append(process)
    by_slot = {name: round(processes.memory_mb(found), 1) for name, found in slots.items()}
    ourselves = processes.memory_mb([psutil.Process()])
    return sum(by_slot.values()) + ourselves, {**by_slot, "deployer": round(ourselves, 1)}


def _require(state: Rollout | None, phase: Phase) -> Rollout:
    if state is None or state.phase is not phase:
        ended = f"{state.phase}: {state.cause}" if state else "nothing to do"
        raise OperationError(
            "demo-went-wrong",
            f"the rollout should have ended {phase}, but ended {ended}",
            hint="read the logs under .deployer/demo/logs",
        )
    return state


def _all_ok(answers: Sequence[Answer], service: ServiceName) -> bool:
    theirs = [answer for answer in answers if answer.service == service]
    return bool(theirs) and all(answer.ok for answer in theirs)
