"""`replay`: a ledger fed back to the engine, to see that it decides the same; or under other limits.

The ledger keeps with each event the headline of the state that it led to. A replay that says
anything else means that the engine or the analysis has changed since, and shows where.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from deployer.analysis import Limits
from deployer.commands.context import Context
from deployer.commands.orders import not_installed
from deployer.driver import decode, decode_order
from deployer.engine import Rollout, advance, begin_rollout
from deployer.ledger import Header
from deployer.model import RolloutId, ServiceName


@dataclass(frozen=True, slots=True)
class Divergence:
    """The first event after which a replay is elsewhere. `at` is seconds since the rollout began."""

    at: float
    recorded: str
    replayed: str
    reason: str


@dataclass(frozen=True, slots=True)
class Replay:
    """One rollout, fed back. `divergence` is None when every decision was the same.

    Of a rollout whose events the ledger no longer keeps there are none to feed back.
    """

    rollout: RolloutId
    service: ServiceName
    candidate: str
    outcome: str | None
    events: int
    divergence: Divergence | None


def replay(
    context: Context, service: ServiceName, *, limit: int = 1, limits: Limits | None = None
) -> tuple[Replay, ...]:
    """Feed the service's last rollouts back, newest first; under other `limits` it is a backtest.

    A backtest ends where the rollout would have gone another way: what the ledger says after that
    did not happen. Raises InputError `not-installed` when there is no rollout.
    """
    headers = context.ledger.history(service, limit=limit)
    if not headers:
        raise not_installed(service)
    return tuple(_replay(context, header, limits) for header in headers)


def _replay(context: Context, header: Header, limits: Limits | None) -> Replay:
    order = decode_order(header.order)
    state = begin_rollout(replace(order, limits=limits) if limits else order)
    entries = context.ledger.entries(header.service, header.id)
    divergence = None
    for entry in entries:
        state, _ = advance(state, decode(entry))
        recorded, replayed = entry.headline, state.headline
        if limits is not None:  # other limits give other words; only the way counts
            recorded, replayed = _way(recorded), _way(replayed)
        if recorded != replayed:
            divergence = Divergence(
                entry.at - header.started_at, entry.headline, state.headline, _reason(state)
            )
            break
    return Replay(
        header.id,
        header.service,
        order.candidate.version,
        header.outcome,
        len(entries),
        divergence,
    )


def _way(headline: str) -> str:
    """Return phase, step and weight of a headline, without the verdict."""
    return headline.rpartition(" ")[0]


def _reason(state: Rollout) -> str:
    return state.cause or (state.verdict.reason if state.verdict else "")
