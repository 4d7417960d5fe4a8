"""The driver: carries a rollout from where it stands to its end.

It writes each event to the ledger, lets the engine say what comes next, and has the target do it.
It decides nothing. A process that dies in here loses nothing: whoever takes the lease next replays
the ledger and runs the pending action again.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Protocol

from deployer.analysis import Look
from deployer.driver.journal import encode
from deployer.engine import (
    LOOKING,
    WAY_BACK,
    AbortRequested,
    Action,
    Call,
    ContinueRequested,
    Done,
    Event,
    Failed,
    Hook,
    HurryRequested,
    Looked,
    Migrate,
    PauseRequested,
    Phase,
    Promote,
    PromoteRequested,
    Retire,
    Rollout,
    Scale,
    Shift,
    Smoke,
    TakeLook,
    Wait,
    advance,
    pending,
)
from deployer.errors import OperationError
from deployer.ledger import Lease, Ledger, Request, StaleFenceError, Verb
from deployer.model import RolloutId
from deployer.targets import Interrupted, InterruptedWait, Target

HEARTBEAT_SECONDS = 2.0  # a fifth of a lease's term
RETRY_SECONDS = 1.0  # between tries of the way back: a router or database needs about that long
POLL_SECONDS = 0.1  # how soon a request of another process is seen while nothing happens

_WISHES: dict[Verb, Callable[[float, str], Event]] = {
    Verb.PROMOTE: PromoteRequested,
    Verb.PAUSE: PauseRequested,
    Verb.CONTINUE: ContinueRequested,
    Verb.HURRY: HurryRequested,
}


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


class HookCaller(Protocol):
    """Whoever calls the services' hooks."""

    def call(self, hook: Hook, rollout: Rollout, *, interrupted: Interrupted) -> tuple[str, ...]:
        """Call it, and return what it said; raise OperationError `hook-failed`, or InterruptedWait."""
        ...


Listener = Callable[[Rollout, Event | None], None]


def unheard(_rollout: Rollout, _event: Event | None) -> None:
    """Listen to a rollout that nobody follows."""


@dataclass(frozen=True, slots=True)
class Driver:
    """What it takes to carry rollouts of one environment. `listen` hears of every new state.

    `renews_lease` has a thread renew it meanwhile. Not on a virtual clock: no real time passes
    there, and a second thread would make a run depend on the scheduler. Nor need a wait be cut into
    `poll_seconds` there, unless somebody asks for something in the middle of it.
    """

    target: Target
    ledger: Ledger
    observer: Observer
    hooks: HookCaller
    clock: Clock
    look_seconds: float
    listen: Listener = unheard
    renews_lease: bool = True
    poll_seconds: float = POLL_SECONDS

    def run(self, lease: Lease, rollout_id: RolloutId, state: Rollout) -> Rollout:
        """Carry a rollout to its end and return it.

        Raises StaleFenceError when another process took the lease over.
        """
        self.listen(state, None)
        with self._heartbeat(lease):
            while not state.over:
                event, answers = self._next_event(lease, rollout_id, state)
                state, _ = advance(state, event)
                self.ledger.append(
                    lease, rollout_id, encode(event, state.headline), answers=answers
                )
                self.listen(state, event)
                self._pause(lease, rollout_id, state, event)
            self.ledger.finish(lease, rollout_id, state.phase, now=self.clock.now())
        return state

    def _next_event(
        self, lease: Lease, rollout_id: RolloutId, state: Rollout
    ) -> tuple[Event, Sequence[Request]]:
        """Return what happens next, and the requests that it answers."""
        if self._interrupts(lease, rollout_id, state):
            return self._answer(lease, rollout_id)
        (action,) = pending(state)
        try:
            return self._perform(action, lease, rollout_id, state), ()
        except InterruptedWait:
            return self._answer(lease, rollout_id)
        except OperationError as error:
            cause = f"{error.code}: {error}"
            return Failed(self.clock.now(), state.phase, cause, error.details), ()

    def _answer(self, lease: Lease, rollout_id: RolloutId) -> tuple[Event, Sequence[Request]]:
        """Return the event of the request that weighs most, and what it answers.

        An abort outweighs whatever else waits; of the others the oldest comes first.
        """
        now = self.clock.now()
        requests = self.ledger.requests(lease.service, rollout_id)
        for request in requests:
            if request.verb in {Verb.ABORT, Verb.ABORT_GRADUALLY}:
                gradual = request.verb is Verb.ABORT_GRADUALLY
                return AbortRequested(now, request.by, request.why, gradual), requests
        first = requests[0]
        return _WISHES[first.verb](now, first.by), requests[:1]

    def _perform(  # noqa: C901  # a table: an action a case
        self, action: Action, lease: Lease, rollout_id: RolloutId, state: Rollout
    ) -> Event:
        service, fence = lease.service, lease.fence
        details: tuple[str, ...] = ()

        def interrupted() -> bool:
            return self._interrupts(lease, rollout_id, state)

        match action:
            case TakeLook():
                now = self.clock.now()
                return Looked(now, self.observer.look(state, at=now))
            case Migrate(release):
                details = self.target.migrate(release, phase="expand")
            case Scale(slot, release, instances):
                self.target.scale(slot, release, instances, fence=fence, interrupted=interrupted)
            case Call(hook):
                details = self.hooks.call(hook, state, interrupted=interrupted)
            case Wait(moment):
                self._wait(moment, interrupted)
            case Smoke(slot, release):
                self.target.smoke(slot, release)
            case Shift(slot, weight):
                self.target.shift(service, slot, weight, fence=fence)
            case Promote(slot, _, standby_seconds):
                until = self.clock.now() + standby_seconds if standby_seconds else None
                self.target.promote(service, slot, standby_until=until, fence=fence)
            case Retire(slot):
                self.target.retire(service, slot, fence=fence)
        return Done(self.clock.now(), state.phase, details)

    def _interrupts(self, lease: Lease, rollout_id: RolloutId, state: Rollout) -> bool:
        hears = state.phase not in WAY_BACK or state.phase is Phase.EASING
        return hears and self.ledger.has_requests(lease.service, rollout_id)

    def _wait(self, until: float, interrupted: Interrupted) -> None:
        """Let time pass until a moment; raise InterruptedWait when somebody asks for something."""
        while (left := until - self.clock.now()) > 0:
            if interrupted():
                raise InterruptedWait
            self.clock.sleep(min(left, self.poll_seconds))

    def _pause(self, lease: Lease, rollout_id: RolloutId, state: Rollout, event: Event) -> None:
        if state.attempts and isinstance(event, Failed):
            self.clock.sleep(RETRY_SECONDS)  # the same action again; a first one need not wait
        if isinstance(event, Looked) and state.phase in LOOKING:
            until = event.at + self.look_seconds
            with suppress(InterruptedWait):
                self._wait(until, lambda: self._interrupts(lease, rollout_id, state))

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
                except OperationError:
                    continue  # a ledger that is away for a while: ours as long as nobody took it

        thread = threading.Thread(target=beat, name=f"lease-{lease.service}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            stopped.set()
            thread.join()
