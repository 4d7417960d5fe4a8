"""The door for deadlines: what a request's caller still waits, read when its work begins.

Every request has a deadline: the instance's own bound, or a shorter one that the caller names. The time in the queue
for a thread counts. One that comes too late is refused before any work: nobody would see what comes of it.

Problem
    TimeoutInvalid   the header is no number of milliseconds
    TooLate          the deadline has passed in the queue
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from platform_kit import deadline
from platform_kit.deadline import HEADER
from platform_kit.problems import Problem

_VARIABLE = f"HTTP_{HEADER.upper().replace('-', '_')}"  # as WSGI calls the header


class TimeoutInvalid(Problem):
    """The header says nothing that could be kept."""

    def __init__(self) -> None:
        super().__init__(
            400,
            "timeout_invalid",
            f"{HEADER} says how many milliseconds you wait: 1 to 99999999, or leave it out.",
        )


class TooLate(Problem):
    """The request waited for a thread until its deadline had passed."""

    def __init__(self) -> None:
        super().__init__(
            503,
            "deadline_passed",
            "The request waited here for longer than its deadline; nothing was done. Try again.",
            headers={"Retry-After": "1"},
        )


def asked_seconds(environ: Mapping[str, Any]) -> float:
    """Return how long a request's caller waits, infinity where it does not say; raise `TimeoutInvalid`."""
    header = environ.get(_VARIABLE)
    if header is None:
        return float("inf")
    seconds = deadline.parse(header)
    if seconds is None:
        raise TimeoutInvalid
    return seconds
