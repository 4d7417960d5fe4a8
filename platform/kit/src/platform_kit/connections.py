"""A connection to PostgreSQL that gives up in time, when the server or the way to it is hung.

libpq waits for an answer for ever, and a time-out that the server keeps (`statement_timeout`) is none when the server
is what hangs. psycopg waits in one place for everything after the connect, `Connection.wait`: there every round trip gets
an end. A connection that was cut off is closed; what it was doing may have been done or not.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self, TypeVar

import psycopg
from psycopg import OperationalError
from psycopg.errors import ConnectionTimeout
from psycopg.waiting import READY_NONE

from platform_kit import deadline
from platform_kit.awake import awake_seconds

if TYPE_CHECKING:
    from collections.abc import Generator

    from psycopg.abc import PQGen

    Result = TypeVar("Result")

CONNECT_SECONDS = 2  # libpq takes no less
# Hundreds of times what a statement of these services takes; with the circuit's second it stays below five.
ROUND_TRIP_SECONDS = 3.0
# To cut a statement off costs the connection: a request in a hurry, or one that is late and has to undo something,
# gets so much all the same.
LEAST_SECONDS = 0.1
# How exactly the end is kept.
LOOK_SECONDS = 0.05


class NoAnswer(OperationalError):  # noqa: N818 - a name says what happened
    """The server has not answered in time; the connection is closed."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"no answer for {seconds:.1f} s")
        self.seconds = seconds


class BoundedConnection(psycopg.Connection[Any]):
    """A connection whose every round trip ends."""

    @classmethod
    def connect(cls, *arguments: Any, **parameters: Any) -> Self:  # noqa: ANN401 - psycopg's
        """Connect as psycopg does, and once more when the time ran out only because this process was stopped."""
        begun = awake_seconds()
        try:
            return super().connect(*arguments, **parameters)
        except ConnectionTimeout:
            if awake_seconds() - begun >= CONNECT_SECONDS / 2:
                raise
        return super().connect(*arguments, **parameters)

    def wait(
        self, gen: PQGen[Result], interval: float = LOOK_SECONDS, timeout: float | None = None
    ) -> Result:
        """Wait as psycopg does, but raise `NoAnswer` when the server takes too long."""
        seconds = max(LEAST_SECONDS, deadline.remaining_seconds(ROUND_TRIP_SECONDS))
        try:
            return super().wait(_until(gen, seconds), min(interval, LOOK_SECONDS), timeout)
        except NoAnswer:
            self.close()
            raise


def _until(gen: PQGen[Result], seconds: float) -> Generator[Any, Any, Result]:
    end = awake_seconds() + seconds  # an answer that came while this process was stopped is in time
    try:
        wanted = next(gen)
        while True:
            ready = yield wanted
            if ready == READY_NONE and awake_seconds() >= end:
                raise NoAnswer(seconds)
            wanted = gen.send(ready)
    except StopIteration as done:
        result: Result = done.value
        return result
