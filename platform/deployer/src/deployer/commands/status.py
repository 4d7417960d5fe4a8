"""`status`: what runs, which share of the traffic it has, and what moves."""

from __future__ import annotations

from dataclasses import dataclass

from deployer.commands.context import Context
from deployer.commands.orders import unfinished
from deployer.driver import read_rollout
from deployer.model import ServiceName, Slot
from deployer.targets import SlotStatus
from deployer.threads import gather, threads


@dataclass(frozen=True, slots=True)
class SlotLine:
    """One slot of a service, for people and machines."""

    slot: Slot
    version: str
    weight: int
    instances: int
    ready: int


@dataclass(frozen=True, slots=True)
class RolloutLine:
    """A rollout that is on its way. `verdict` is the rule that spoke last."""

    id: int
    candidate: str
    phase: str
    step: int
    steps: int
    verdict: str | None


@dataclass(frozen=True, slots=True)
class ServiceLine:
    """A service. `live` is None before the first `up`, `standby` unless a slot is kept warm."""

    service: ServiceName
    ready: bool
    live: SlotLine | None
    candidate: SlotLine | None
    standby: SlotLine | None
    standby_until: float | None
    rollout: RolloutLine | None


def status(context: Context) -> tuple[ServiceLine, ...]:
    """Look at every service of the environment."""
    services = context.workspace.services
    with threads(max(1, len(services))) as pool:
        return gather([pool.submit(_line, context, service) for service in services])


def _line(context: Context, service: ServiceName) -> ServiceLine:
    situation = context.target.situation(service)
    rollout = _rollout_line(context, service)
    live = situation.serving
    other = situation.of(situation.live.other if situation.live else Slot.BLUE)
    beside = _slot_line(other)
    return ServiceLine(
        service,
        ready=live is not None and live.ready,
        live=_slot_line(live),
        candidate=beside if rollout else None,
        standby=None if rollout else beside,
        standby_until=situation.standby_until,
        rollout=rollout,
    )


def _slot_line(status: SlotStatus | None) -> SlotLine | None:
    if status is None:
        return None
    ready = sum(instance.ready for instance in status.instances)
    return SlotLine(status.slot, status.release.version, status.weight, status.wanted, ready)


def _rollout_line(context: Context, service: ServiceName) -> RolloutLine | None:
    header = unfinished(context, service)
    if header is None:
        return None
    state = read_rollout(context.ledger, header)
    return RolloutLine(
        id=header.id,
        candidate=state.order.subject if state.order.flag else state.order.candidate.version,
        phase=state.phase,
        step=state.step_index + 1,
        steps=len(state.order.plan),
        verdict=state.verdict.rule if state.verdict else None,
    )
