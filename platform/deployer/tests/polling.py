"""Waiting for what other processes do: a poll with a deadline, never a guess at how long it takes."""

from __future__ import annotations

import time
from collections.abc import Callable

PERIOD_SECONDS = 0.02


def eventually(claim: Callable[[], object], *, seconds: float = 15.0) -> bool:
    """Return whether something comes true within so many seconds."""
    deadline = time.monotonic() + seconds
    while not claim():
        if time.monotonic() > deadline:
            return False
        time.sleep(PERIOD_SECONDS)  # a poll with a deadline
    return True
