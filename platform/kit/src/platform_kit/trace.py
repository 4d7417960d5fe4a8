"""W3C Trace Context: which trace a request belongs to, and where in it.

A valid `traceparent` is gone on with, any other is ignored and a new trace begun, as the recommendation wants it
(https://www.w3.org/TR/trace-context/, sections 3.2 and 3.3). Each request is a span of its own; calls made for it name
that span as their parent. `tracestate` is other vendors' business: passed on as it came, dropped when it is malformed.
"""

from __future__ import annotations

import os
import random
import re
from contextvars import ContextVar
from dataclasses import dataclass

# version 00 has these four fields and no more; a later one may go on after a dash.
_PARENT = re.compile(
    r"(?P<version>[0-9a-f]{2})-(?P<trace>[0-9a-f]{32})-(?P<parent>[0-9a-f]{16})-(?P<flags>[0-9a-f]{2})(?P<rest>-.*)?"
)
_SAMPLED = 0x01

_KEY = r"(?:[a-z][a-z0-9_*/-]{0,255}|[a-z0-9][a-z0-9_*/-]{0,240}@[a-z][a-z0-9_*/-]{0,13})"
_VALUE = r"[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]"
_MEMBER = re.compile(rf"(?P<key>{_KEY})={_VALUE}")
MOST_MEMBERS = 32


@dataclass(slots=True)  # not frozen: every request makes one, and that would take it thrice as long
class Trace:
    """A span: the trace that it is part of, its own id, and the id of the span that asked for it."""

    trace_id: str
    span_id: str
    parent_id: str | None = None
    sampled: bool = False
    state: str = ""

    def headers(self) -> dict[str, str]:
        """Return what a call made in this span sends along."""
        sent = {"traceparent": f"00-{self.trace_id}-{self.span_id}-{int(self.sampled):02x}"}
        return {**sent, "tracestate": self.state} if self.state else sent


# Seeded by the system, in each process anew: instances must not make the same ids.
_dice = random.Random()  # noqa: S311 - see `new_id`
os.register_at_fork(after_in_child=_dice.seed)
_LAST = 2**64 - 1
# The span of the request being answered: `set` begins one, `reset` goes back to the one before.
current: ContextVar[Trace | None] = ContextVar("trace", default=None)


def current_trace() -> Trace | None:
    """Return the span of the request being answered, None outside of one."""
    return current.get()


def received(traceparent: str, tracestate: str) -> Trace:
    """Return a new span of the caller's trace, or of a new trace if the caller names none that is valid."""
    found = _PARENT.fullmatch(traceparent.strip(" \t")) if traceparent else None
    if found is None or not _is_valid(found):
        fresh = new_id(24)
        return Trace(fresh[:32], fresh[32:])
    return Trace(
        found["trace"],
        new_id(8),
        parent_id=found["parent"],
        sampled=bool(int(found["flags"], 16) & _SAMPLED),
        state=_passed_on(tracestate),
    )


def _is_valid(found: re.Match[str]) -> bool:
    if found["version"] == "ff" or (found["version"] == "00" and found["rest"] is not None):
        return False
    return any(digit != "0" for digit in found["trace"]) and any(
        digit != "0" for digit in found["parent"]
    )


def _passed_on(tracestate: str) -> str:
    """Return the list without its empty members, nothing at all if one of the others is malformed."""
    members = [member.strip(" \t") for member in tracestate.split(",")]
    members = [member for member in members if member]
    matches = [found for member in members if (found := _MEMBER.fullmatch(member))]
    keys = {found["key"] for found in matches}
    is_valid = len(members) == len(keys) <= MOST_MEMBERS
    return ",".join(members) if is_valid else ""


def new_id(size: int) -> str:
    """Return so many random bytes in hexadecimal; neither the first nor the last eight are all zeros, which is no id.

    Not from the system: it is no secret, and each question to the system lets other threads go first.
    """
    while True:  # zeros come once in 2**64
        number = _dice.getrandbits(size * 8)
        if number & _LAST and number >> (size - 8) * 8:
            return f"{number:0{2 * size}x}"
