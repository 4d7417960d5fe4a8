"""How much longer the caller waits: a bound on everything that is done for a request.

It travels as the milliseconds that are left, as gRPC's `grpc-timeout` and Envoy's `x-envoy-expected-rq-timeout-ms`
do, so the clocks of two machines need not agree. What the way over the network took is not known and not taken off.
Only the standard library: gunicorn's master imports this too.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from platform_kit.liveness import Clock

HEADER = "X-Request-Timeout-Ms"
# As many digits as `grpc-timeout` may have (gRPC over HTTP/2, "Timeout"). Zero is no time to do anything in.
_MILLISECONDS = re.compile(r"(?!0+$)[0-9]{1,8}", re.ASCII)


@dataclass(slots=True)  # not frozen: see `Trace`
class Deadline:
    """A moment after which nobody waits for the answer."""

    at: float
    clock: Clock = time.monotonic

    @classmethod
    def after(cls, seconds: float, clock: Clock = time.monotonic) -> Deadline:
        """Return the one that is so far away."""
        return cls(clock() + seconds, clock)

    def remaining_seconds(self) -> float:
        """Return the time that is left; negative when it is over."""
        return self.at - self.clock()


# The one of what is being done in this thread: `set` makes another one hold, `reset` goes back.
current: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
# How long the request that this thread begins with has waited for a thread, in seconds.
queued: ContextVar[float] = ContextVar("queued", default=0.0)


def current_deadline() -> Deadline | None:
    """Return the deadline of what is being done in this thread, None where nobody waits for it."""
    return current.get()


def remaining_seconds(at_most: float) -> float:
    """Return the time until the current deadline, but no more than `at_most`."""
    deadline = current_deadline()
    return at_most if deadline is None else min(at_most, deadline.remaining_seconds())


@contextmanager
def within(seconds: float) -> Iterator[None]:
    """Let nothing in the block wait longer than this, or than the deadline that holds already."""
    before = current.set(Deadline.after(remaining_seconds(seconds)))
    try:
        yield
    finally:
        current.reset(before)


def parse(header: str) -> float | None:
    """Return the seconds that a header's value gives, None if it is not a number from 1 to 99999999."""
    return int(header) / 1000 if _MILLISECONDS.fullmatch(header) else None


def render(seconds: float) -> str:
    """Return the header's value; what is left of a millisecond is not promised."""
    return str(int(seconds * 1000))
