"""An environment on paper: real ledger, records, git and commands; nothing is built or started."""

# ruff: noqa: ARG002  # a target takes what the protocol gives it

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from shopfront import PRODUCT, Shop, wanted

from deployer.commands.context import Context
from deployer.commands.orders import carry_out, order_rollout
from deployer.commands.release import build_release
from deployer.commands.up import up
from deployer.engine import Event, Phase, Rollout
from deployer.errors import OperationError
from deployer.model import Fence, Release, ServiceName, Slot
from deployer.targets import Interrupted
from deployer.targets.local import Builds, LocalTarget
from deployer.targets.local.target import Safeguards
from deployer.targets.record import Instance, ServiceRecord, SlotRecord
from deployer.workspace import Source


class PaperBuilds(Builds):
    """A build is a note of what would be built."""

    def _build(self, source: Source, home: Path) -> None:
        home.mkdir()
        facts = {"digest": source.content, "commit": source.commit}
        (home / "release.json").write_text(json.dumps(facts))


@dataclass
class Faults:
    """What goes wrong next: an error of an action, and releases whose instances are not ready."""

    errors: dict[str, list[OperationError]] = field(default_factory=dict)
    unready: set[str] = field(default_factory=set)

    def meet(self, action: str) -> None:
        waiting = self.errors.get(action)
        if waiting:
            raise waiting.pop(0)


class PaperTarget(LocalTarget):
    """Keeps the records that the real one keeps, and starts no process."""

    def __init__(self, context: Context) -> None:
        super().__init__(
            context.state,
            context.environment,
            builds=PaperBuilds(context.workspace.root / ".deployer" / "paper"),
            internal=lambda _service: (),
            safeguards=Safeguards(barrier=False, drain=False),
        )
        self.faults = Faults()
        self.calls: list[str] = []
        self.router = SimpleNamespace(  # type: ignore[assignment]
            up=lambda: None,
            running=lambda: False,
            metrics_url="http://127.0.0.1:1/metrics",
            public_url="http://127.0.0.1:1",
        )
        self.postgres = SimpleNamespace(up=lambda _services: None, down=lambda: None)  # type: ignore[assignment]

    def migrate(self, release: Release, *, phase: str) -> tuple[str, ...]:
        self._do("migrate")
        return ()

    def scale(
        self,
        slot: Slot,
        release: Release,
        instances: int,
        *,
        fence: Fence,
        interrupted: Interrupted,
    ) -> None:
        self._do("start")
        if release.version in self.faults.unready:
            raise never_ready(release)
        one = Instance("paper", 0, 0.0, 1, 1)

        def fill(record: ServiceRecord) -> ServiceRecord:
            held = record.slot(slot)
            weight = held.weight if held and held.release == release else 0
            return record.with_slot(
                slot, SlotRecord(release, instances, weight, (one,) * instances)
            )

        self.records.update(release.service, fill, fence=fence)

    def smoke(self, slot: Slot, release: Release) -> None:
        self._do("smoke")

    def processes(self) -> tuple[()]:
        return ()

    def _do(self, action: str) -> None:
        self.calls.append(action)
        self.faults.meet(action)

    def _ready(self, instance: Instance) -> bool:
        return not self.faults.unready

    def _publish(self, service: ServiceName, *, answering: tuple[Slot, ...] = tuple(Slot)) -> None:
        self._do("publish")

    def _stop_strays(self, service: ServiceName, slot: Slot) -> None:
        self._do("stop")


def never_ready(release: Release) -> OperationError:
    return OperationError(
        "never-ready", f"{release.name} ended", hint="read its log", details=("last words",)
    )


class Killed(BaseException):
    """Like SIGKILL, as far as a thread of the test can be killed."""


class Paper(Shop):
    """A shop on paper, with 1.0.0 installed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.context.__dict__["local"] = PaperTarget(self.context)
        up(self.context)

    @property
    def target(self) -> PaperTarget:
        target = self.context.target
        assert isinstance(target, PaperTarget)
        return target

    def interrupt(self) -> str:
        """Leave a rollout behind whose holder died while it was watched; return its version."""
        version = self.commit_next()
        release = build_release(self.context, wanted())

        def listen(state: Rollout, _event: Event | None) -> None:
            if state.phase is Phase.WATCHING:
                raise Killed

        with pytest.raises(Killed):
            carry_out(
                self.context, PRODUCT, lambda: order_rollout(self.context, release), listen=listen
            )
        return version
