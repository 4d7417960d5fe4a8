"""An Observer of simulated traffic: looks as a scrape of the router and the instances gives them.

It serves the traffic up to each look, and up to each change that the target announces, so that a
weight or a crash splits the requests at its own moment. While the metrics are down it keeps what it
could not tell: totals at the router lose nothing.
"""

from __future__ import annotations

from functools import partial

from deployer.analysis import Look
from deployer.engine import Order, Rollout
from deployer.metrics.source import Outcome
from deployer.model import ServiceName
from deployer.simulation.service import Behaviour, Incident, Mishap, ServiceModel
from deployer.simulation.traffic import NOTHING, Conditions, Served, Traffic
from deployer.targets.clock import VirtualClock
from deployer.targets.simulated import SimulatedTarget

BUSINESS = "business"  # the name of the pair that a modelled service exports


class SimulatedObserver:
    """Watches one rollout of a modelled service that began at second 0 of the clock."""

    def __init__(
        self,
        model: ServiceModel,
        order: Order,
        *,
        target: SimulatedTarget,
        clock: VirtualClock,
        seed: int,
    ) -> None:
        self.traffic = Traffic(model, seed)
        self._model = model
        self._order = order
        self._target = target
        self._clock = clock
        self._candidate, self._live = NOTHING, NOTHING
        self._conditions = Conditions()
        self._seen_changes = -1
        self._holds_until = 0.0
        target.before_change = self._settle
        for incident in model.incidents:
            clock.set_alarm(incident.after_seconds, partial(self._befall, incident))

    def look(self, rollout: Rollout, *, at: float) -> Look:
        """Return what happened since the last look that could be taken."""
        del rollout  # the order says all that is asked
        self.serve(at)
        if any(outage.covers(at) for outage in self._model.outages):
            nothing = NOTHING.counts
            return Look(at, nothing, nothing, reachable=False)
        candidate, live = self._candidate, self._live
        self._candidate, self._live = NOTHING, NOTHING
        order = self._order
        answers = self._conditions.candidate_answers
        return _look(
            at,
            candidate,
            live,
            behaviour=self.traffic.candidate,
            answers=answers,
            since=self._target.started_at(order.service, order.candidate_slot),
        )

    def serve(self, until: float) -> None:
        """Let the traffic run until a time."""
        while self.traffic.at < until:
            conditions = self._conditions_now()
            served = self.traffic.serve(min(until, self._holds_until), conditions)
            if self._candidate is NOTHING and self._live is NOTHING:
                self._candidate, self._live = served
            else:
                self._candidate += served[0]
                self._live += served[1]

    def _settle(self, service: ServiceName) -> None:
        if service == self._order.service:
            self.serve(self._clock.now())

    def _conditions_now(self) -> Conditions:
        """Return the conditions at the time that the traffic has come to."""
        target, order, at = self._target, self._order, self.traffic.at
        if self._seen_changes != target.changes or at >= self._holds_until:
            service, slot = order.service, order.candidate_slot
            self._conditions = Conditions(
                target.weight(service, slot),
                target.answering(service, slot, at=at),
                target.answering(service, slot.other, at=at),
            )
            self._holds_until = target.next_ready(service, after=at)
            self._seen_changes = target.changes
        return self._conditions

    def _befall(self, incident: Incident) -> None:
        order, target = self._order, self._target
        self.serve(self._clock.now())
        self.traffic.note_fault()
        sides = (
            (incident.on.hits_candidate, order.candidate_slot, order.candidate),
            (incident.on.hits_live, order.candidate_slot.other, order.live),
        )
        for hit, slot, release in sides:
            if not hit or release is None:
                continue
            if incident.mishap is Mishap.HANG:
                target.hang(order.service, slot, instances=incident.instances)
                continue
            if incident.mishap is Mishap.CRASH_LOOP:
                target.never_get_ready(release)
            target.crash(order.service, slot, instances=incident.instances)


def _look(
    at: float,
    candidate: Served,
    live: Served,
    *,
    behaviour: Behaviour,
    answers: float,
    since: float | None,
) -> Look:
    """Make the look: the one place that knows which fields it has."""
    return Look(
        at=at,
        candidate=candidate.counts,
        live=live.counts,
        candidate_healthy=None if since is None else behaviour.healthy and answers >= 1.0,
        memory_share=behaviour.memory_share if answers else None,
        cpu_share=behaviour.cpu_share if answers else None,
        instances_since=since,
        latency=candidate.latency,
        outcomes=_outcomes(candidate),
        live_outcomes=_outcomes(live),
    )


def _outcomes(served: Served) -> tuple[Outcome, ...]:
    if not served.attempts:
        return ()
    return (Outcome(BUSINESS, served.attempts, served.successes),)
