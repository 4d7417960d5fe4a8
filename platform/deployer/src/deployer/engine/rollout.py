"""The state of a rollout, and the events and actions that the engine speaks in.

All of it is plain frozen data: the ledger stores orders and events as JSON, and a state is what
`advance` makes of an order and its events. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deployer.analysis import Analysis, Limits, Look, Verdict
from deployer.engine.plan import Plan, Step
from deployer.model import Release, ServiceName, Slot


class Kind(StrEnum):
    """Why traffic moves: a new release, a way back after promotion, or the very first one."""

    ROLLOUT = "rollout"
    ROLLBACK = "rollback"
    INSTALL = "install"


class Phase(StrEnum):
    """Where a rollout is. The second block is the way back, the third is the end."""

    MIGRATING = "migrating"
    STARTING = "starting"
    SMOKING = "smoking"
    SHIFTING = "shifting"
    WATCHING = "watching"
    PROMOTING = "promoting"
    TIDYING = "tidying"

    GUARDING = "guarding"
    RETURNING = "returning"
    RETIRING = "retiring"
    CONFIRMING = "confirming"

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


TERMINAL = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.FAILED})
WAY_BACK = frozenset({Phase.GUARDING, Phase.RETURNING, Phase.RETIRING, Phase.CONFIRMING})


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, fixed when the rollout begins.

    `live` is None for a first deployment. `standby_seconds` is how long the old slot stays warm
    after promotion; 0 retires it at once. `planned_requests` sizes the sequential test.
    """

    service: ServiceName
    kind: Kind
    candidate: Release
    candidate_slot: Slot
    live: Release | None
    live_instances: int
    plan: Plan
    limits: Limits
    planned_requests: float
    patience_seconds: float
    standby_seconds: float
    started_at: float


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it stands: what `advance` takes and returns.

    `weight` is the last share that the router was asked to give the candidate, `cause` why it
    turned back, `attempts` how often the pending action of the way back has failed.
    """

    order: Order
    phase: Phase
    analysis: Analysis
    step_index: int = 0
    weight: int = 0
    attempts: int = 0
    verdict: Verdict | None = None
    cause: str | None = None
    changed_at: float = 0.0

    @property
    def step(self) -> Step:
        """The step of the plan that is under way, or was last."""
        return self.order.plan[self.step_index]

    @property
    def over(self) -> bool:
        """Whether nothing more will happen."""
        return self.phase in TERMINAL

    @property
    def live_slot(self) -> Slot:
        """The slot that served before."""
        return self.order.candidate_slot.other


# Events: what happened, with the time it happened at.


@dataclass(frozen=True, slots=True)
class Done:
    """The pending action succeeded. `phase` names it, so that an echo can't advance another."""

    at: float
    phase: Phase


@dataclass(frozen=True, slots=True)
class Failed:
    """The pending action failed, with the reason in a sentence and the last log lines."""

    at: float
    phase: Phase
    cause: str
    details: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Looked:
    """The metrics were read; the engine judges them."""

    at: float
    look: Look


@dataclass(frozen=True, slots=True)
class AbortRequested:
    """Somebody wants the traffic back where it was."""

    at: float
    by: str
    why: str


@dataclass(frozen=True, slots=True)
class PromoteRequested:
    """Somebody decided that the step under way is good enough."""

    at: float
    by: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Another process took the rollout over from a holder that died."""

    at: float
    holder: str


Event = Done | Failed | Looked | AbortRequested | PromoteRequested | Resumed


# Actions: what to do next. Each may be done twice with the same result.


@dataclass(frozen=True, slots=True)
class Migrate:
    """Bring the schema forward (expand) to what the release wants."""

    release: Release


@dataclass(frozen=True, slots=True)
class Start:
    """Have that many ready instances of the release in the slot."""

    slot: Slot
    release: Release
    instances: int


@dataclass(frozen=True, slots=True)
class Smoke:
    """Call the release in its slot, at its own address, and see that it answers as itself."""

    slot: Slot
    release: Release


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the candidate that share of the traffic, and see at the router that it has it."""

    candidate_slot: Slot
    weight: int


@dataclass(frozen=True, slots=True)
class TakeLook:
    """Read the metrics of both slots."""


@dataclass(frozen=True, slots=True)
class Promote:
    """Record the slot as the live one."""

    slot: Slot
    release: Release
    standby_seconds: float


@dataclass(frozen=True, slots=True)
class Retire:
    """Drain and stop whatever runs in the slot."""

    slot: Slot


Action = Migrate | Start | Smoke | Shift | TakeLook | Promote | Retire
