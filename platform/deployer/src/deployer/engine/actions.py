"""Actions: what to do next. Each may be done twice with the same result."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.engine.rollout import Hook
from deployer.model import Release, Slot


@dataclass(frozen=True, slots=True)
class Migrate:
    """Bring the schema forward (expand) to what the release wants."""

    release: Release


@dataclass(frozen=True, slots=True)
class Scale:
    """Have exactly that many ready instances of the release in the slot."""

    slot: Slot
    release: Release
    instances: int


@dataclass(frozen=True, slots=True)
class Smoke:
    """Call the release in its slot, at its own address, and see that it answers as itself."""

    slot: Slot
    release: Release


@dataclass(frozen=True, slots=True)
class Call:
    """Call a hook of the service's."""

    hook: Hook


@dataclass(frozen=True, slots=True)
class Shift:
    """Give the candidate that share of the traffic, and see at the router that it has it."""

    candidate_slot: Slot
    weight: int


@dataclass(frozen=True, slots=True)
class TakeLook:
    """Read the metrics of both slots."""


@dataclass(frozen=True, slots=True)
class Wait:
    """Let time pass, until a moment in seconds since the epoch."""

    until: float


@dataclass(frozen=True, slots=True)
class Promote:
    """Record the slot as the live one; the other stays warm for `standby_seconds`."""

    slot: Slot
    release: Release
    standby_seconds: float


@dataclass(frozen=True, slots=True)
class Retire:
    """Drain and stop whatever runs in the slot."""

    slot: Slot


Action = Migrate | Scale | Smoke | Call | Shift | TakeLook | Wait | Promote | Retire
