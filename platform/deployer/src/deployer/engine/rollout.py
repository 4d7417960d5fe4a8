"""The state of a rollout: what was ordered, and where it is.

All of it is plain frozen data: the ledger stores orders and events as JSON, and a state is what
`advance` makes of an order and its events. Nothing here reads a clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from deployer.analysis import Analysis, Limits, Verdict
from deployer.engine.plan import Plan, Step, Strategy
from deployer.model import Release, ServiceName, Slot


class Kind(StrEnum):
    """What goes out: a new release, the way back to one, the very first one; or a flag of the live one."""

    ROLLOUT = "rollout"
    ROLLBACK = "rollback"
    INSTALL = "install"
    FLAG = "flag"


WATCHED = frozenset({Kind.ROLLOUT, Kind.FLAG})  # by the analysis, step by step


class Phase(StrEnum):
    """Where a rollout is. The second block is the way back, the third is the end."""

    MIGRATING = "migrating"
    STARTING = "starting"
    SMOKING = "smoking"
    CALLING = "calling"
    SHIFTING = "shifting"
    SHRINKING = "shrinking"
    WATCHING = "watching"
    HOLDING = "holding"
    PROMOTING = "promoting"
    MONITORING = "monitoring"
    VERIFYING = "verifying"
    TIDYING = "tidying"

    GUARDING = "guarding"
    RETURNING = "returning"
    EASING = "easing"
    RESTORING = "restoring"
    RETIRING = "retiring"
    CONFIRMING = "confirming"
    REPORTING = "reporting"

    PROMOTED = "promoted"
    ROLLED_BACK = "rolled-back"
    FAILED = "failed"


TERMINAL = frozenset({Phase.PROMOTED, Phase.ROLLED_BACK, Phase.FAILED})
LOOKING = frozenset({Phase.WATCHING, Phase.MONITORING})
WAY_BACK = frozenset(
    {
        Phase.GUARDING,
        Phase.RETURNING,
        Phase.EASING,
        Phase.RESTORING,
        Phase.RETIRING,
        Phase.CONFIRMING,
        Phase.REPORTING,
    }
)


class Point(StrEnum):
    """Where a hook may be called."""

    BEFORE_ROLLOUT = "before-rollout"
    BEFORE_TRAFFIC = "before-traffic"
    AFTER_STEP = "after-step"
    AFTER_PROMOTION = "after-promotion"
    AFTER_ROLLBACK = "after-rollback"


@dataclass(frozen=True, slots=True)
class Hook:
    """Something of the service's own that is called at a point: a command or a URL, one of both.

    A command that ends with another code than 0, an answer other than 2xx, or none of either within
    `timeout_seconds` is a failure: the rollout turns back. After a rollback it is only told.
    """

    point: Point
    command: tuple[str, ...] = ()
    url: str = ""
    timeout_seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Order:
    """What was asked for, fixed when the rollout begins.

    `live` is None for a first deployment. `monitor_seconds` is how long the candidate is analysed
    after promotion, `standby_seconds` how long the old slot stays warm after that; 0 retires it at
    once. `planned_requests` sizes the sequential test, `business` names the pairs it watches. On a
    gradual way back the candidate's share falls through `ease_weights`, each held `ease_seconds`.
    `despite_freeze` is why it goes out in a freeze. Of a flag (`flag` and the `variant` that goes out),
    both releases are the one that is live, and weights are shares of the callers.
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
    strategy: Strategy = Strategy.CANARY
    monitor_seconds: float = 0.0
    hooks: tuple[Hook, ...] = ()
    business: tuple[str, ...] = ()
    ease_weights: tuple[int, ...] = ()
    ease_seconds: float = 0.0
    despite_freeze: str = ""
    flag: str = ""
    variant: str = ""

    @property
    def subject(self) -> str:
        """What goes out, as people write it: `product@1.4.0`, or `flag new-listing of product`."""
        return f"flag {self.flag} of {self.service}" if self.flag else self.candidate.name

    def hooks_at(self, point: Point) -> tuple[Hook, ...]:
        """Return the hooks of a point, in the order they are declared."""
        return tuple(hook for hook in self.hooks if hook.point is point)


@dataclass(frozen=True, slots=True)
class Rollout:
    """A rollout as it stands: what `advance` takes and returns.

    `weight` is the last share that the router was asked to give the candidate, `cause` why it
    turned back, `attempts` how often the pending action has failed where it is tried again.
    `promoted`: the candidate may have been recorded as live. `gradual`: the way back goes step by
    step. `hurried`: nothing is held any longer. `paused`: a person does not want it to go on by itself. `calling` is the point whose hooks
    are being called, `called` how many of them were.
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
    promoted: bool = False
    gradual: bool = False
    hurried: bool = False
    paused: bool = False
    calling: Point | None = None
    called: int = 0

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

    @property
    def headline(self) -> str:
        """Where the rollout is, in a few words. The ledger keeps it: a replay must say the same."""
        verdict = f"{self.verdict.kind}:{self.verdict.rule}" if self.verdict else "-"
        place = f"{self.step_index + 1}/{len(self.order.plan)}"
        return f"{self.phase} {place} {self.weight}% {verdict}"
