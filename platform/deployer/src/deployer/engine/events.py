"""Events: what happened to a rollout, each with the time it happened at. The ledger keeps them."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.analysis import Look
from deployer.engine.rollout import Phase


@dataclass(frozen=True, slots=True)
class Done:
    """The pending action succeeded. `phase` names it, so that an echo can't advance another."""

    at: float
    phase: Phase
    details: tuple[str, ...] = ()


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
    """Somebody wants the traffic back where it was, at once or step by step."""

    at: float
    by: str
    why: str
    gradual: bool = False


@dataclass(frozen=True, slots=True)
class PromoteRequested:
    """Somebody decided that the step under way is good enough."""

    at: float
    by: str


@dataclass(frozen=True, slots=True)
class PauseRequested:
    """Somebody wants the rollout to stay where it is. It still turns back when something fails."""

    at: float
    by: str


@dataclass(frozen=True, slots=True)
class ContinueRequested:
    """Somebody lets a paused rollout go on by itself again."""

    at: float
    by: str


@dataclass(frozen=True, slots=True)
class HurryRequested:
    """Somebody wants a gradual rollback to be over now: all the remaining traffic at once."""

    at: float
    by: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Another process took the rollout over from a holder that died."""

    at: float
    holder: str


Event = (
    Done
    | Failed
    | Looked
    | AbortRequested
    | PromoteRequested
    | PauseRequested
    | ContinueRequested
    | HurryRequested
    | Resumed
)
