"""Business metrics: of what a service is there for, how much was attempted and how much was done.

A release can break without one 5xx: it answers, and fewer orders are placed. The deployer compares
the pairs that a service names under `business` in its `[tool.deployer]` with those of the live slot.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto

from flask import current_app

from platform_kit.instance import Instance

_NAME = re.compile(r"[a-z][a-z0-9_]*")  # goes into a label, a TOML file and a sentence as it is


class Business:
    """Attempts and successes of one thing, such as `Business("orders")`. One a module will do."""

    def __init__(self, name: str) -> None:
        if not _NAME.fullmatch(name):
            raise ValueError(f"a business metric's name is one word in lower case, got {name!r}")
        self._name = name

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """Count an attempt of the request being answered when the block is left.

        It counts as done if `success` was called in it and nothing was raised. Both counters rise
        in one step, at the end: what is half done is not yet an attempt that came to nothing.
        Enter the block with a well-formed request: nonsense is no attempt.
        """
        attempt = Attempt()
        outcomes = Instance.of(current_app).metrics.outcomes
        try:
            yield attempt
        except BaseException:
            outcomes.count(self._name, succeeded=False)
            raise
        if attempt.end is not _End.REPEATED:
            outcomes.count(self._name, succeeded=attempt.end is _End.DONE)


class _End(Enum):
    NOTHING = auto()
    DONE = auto()
    REPEATED = auto()


class Attempt:
    """How an attempt ends. Without a word it came to nothing."""

    def __init__(self) -> None:
        self.end = _End.NOTHING

    def success(self) -> None:
        """Say that it is done."""
        self.end = _End.DONE

    def repeated(self) -> None:
        """Say that it had been done before: the same request again is no attempt and no success.

        Counted as a success, a client that sends everything twice would hide half of what fails.
        """
        self.end = _End.REPEATED
