"""The driver: carries a rollout from where it stands to its end.

It writes each event to the ledger, lets the engine say what comes next, and has the target do it.
It decides nothing. A process that dies in here loses nothing: whoever takes the lease next replays
the ledger and runs the pending action again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from deployer.analysis import Look
from deployer.driver.journal import encode
from deployer.engine import (
    WAY_BACK,
    AbortRequested,
    Action,
    Done,
    Event,
    Failed,
    Looked,
    Migrate,
    Phase,
    Promote,
    PromoteRequested,
    Retire,
    Rollout,
    Shift,
    Smoke,
    Start,
    TakeLook,
    advance,
    pending,
)
from deployer.errors import OperationError
from deployer.ledger import Lease, Ledger, Request, StaleFenceError
from deployer.model import RolloutId
from deployer.targets import InterruptedWait, Target

HEARTBEAT_SECONDS = 2.0  # a fifth of a lease's term
RETRY_SECONDS = 1.0  # between tries of the way back: a router or database needs about that long
POLL_SECONDS = 0.1  # how soon a request of another process is seen while nothing happens


class Clock(Protocol):
    """Time, real or virtual."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


class Observer(Protocol):
    """Whoever reads the metrics of a rollout: each look is what happened since the one before."""

    def look(self, rollout: Rollout, *, at: float) -> Look:
        """Return the differences since the last call."""
        ...


Listener = Callable[[Rollout, Event | None], None]


@dataclass(frozen=True, slots=True)
class Driver:
    """What it takes to carry rollouts of one environment. `listen` hears of every new state.

    `renews_lease` has a thread renew it meanwhile. Not on a virtual clock: no real time passes
    there, and a second thread would make a run depend on the scheduler.
    """

    target: Target
    ledger: Ledger
    observer: Observer
    clock: Clock
    look_seconds: float
    listen: Listener = lambda _rollout, _event: None
    renews_lease: bool = True

    def run(self, lease: Lease, rollout_id: RolloutId, state: Rollout) -> Rollout:
        """Carry a rollout to its end and return it.

        Raises StaleFenceError when another process took the lease over.
        """
        self.listen(state, None)
        with self._heartbeat(lease):
            while not state.over:
                event, answers = self._next_event(lease, rollout_id, state)
                self.ledger.append(lease, rollout_id, encode(event), answers=answers)
                state, _ = advance(state, event)
                self.listen(state, event)
                self._pause(rollout_id, state, event)
            self.ledger.finish(lease, rollout_id, state.phase, now=self.clock.now())
        return state

    def _next_event(
        self, lease: Lease, rollout_id: RolloutId, state: Rollout
    ) -> tuple[Event, Sequence[Request]]:
        """Return what happens next, and the requests that it answers."""
        if self._interrupts(rollout_id, state):
            return self._answer(rollout_id)
        (action,) = pending(state)
        try:
            return self._perform(action, lease, rollout_id, state), ()
        except InterruptedWait:
            return self._answer(rollout_id)
        except OperationError as error:
            cause = f"{error.code}: {error}"
            return Failed(self.clock.now(), state.phase, cause, error.details), ()

    def _answer(self, rollout_id: RolloutId) -> tuple[Event, Sequence[Request]]:
        """Return the event of the requests that wait: an abort outweighs a promote."""
        requests = self.ledger.requests(rollout_id)
        for request in requests:
            if request.verb == "abort":
                return AbortRequested(self.clock.now(), request.by, request.why), requests
        return PromoteRequested(self.clock.now(), requests[0].by), requests

    def _perform(
        self, action: Action, lease: Lease, rollout_id: RolloutId, state: Rollout
    ) -> Event:
        service, fence = lease.service, lease.fence
        match action:
            case TakeLook():
                now = self.clock.now()
                return Looked(now, self.observer.look(state, at=now))
            case Migrate(release):
                self.target.migrate(release, phase="expand")
            case Start(slot, release, instances):
                self.target.start(
                    slot,
                    release,
                    instances,
                    fence=fence,
                    interrupted=lambda: self._interrupts(rollout_id, state),
                )
            case Smoke(slot, release):
                self.target.smoke(slot, release)
            case Shift(slot, weight):
                self.target.shift(service, slot, weight, fence=fence)
            case Promote(slot, _, standby_seconds):
                until = self.clock.now() + standby_seconds if standby_seconds else None
                self.target.promote(service, slot, standby_until=until, fence=fence)
            case Retire(slot):
                self.target.retire(service, slot, fence=fence)
        return Done(self.clock.now(), state.phase)

    def _interrupts(self, rollout_id: RolloutId, state: Rollout) -> bool:
        return state.phase not in WAY_BACK and self.ledger.has_requests(rollout_id)

    def _pause(self, rollout_id: RolloutId, state: Rollout, event: Event) -> None:
        if state.attempts and isinstance(event, Failed):
            self.clock.sleep(RETRY_SECONDS)  # the same action again; a first one need not wait
        if not (isinstance(event, Looked) and state.phase is Phase.WATCHING):
            return
        until = event.at + self.look_seconds
        while (left := until - self.clock.now()) > 0 and not self._interrupts(rollout_id, state):
            self.clock.sleep(min(left, POLL_SECONDS))

    @contextmanager
    def _heartbeat(self, lease: Lease) -> Iterator[None]:
        if not self.renews_lease:
            yield
            return
        stopped = threading.Event()

        def beat() -> None:
            while not stopped.wait(HEARTBEAT_SECONDS):
                try:
                    self.ledger.renew(lease, now=self.clock.now())
                except StaleFenceError:
                    return  # the next append says so, where it can be told

        thread = threading.Thread(target=beat, name=f"lease-{lease.service}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
