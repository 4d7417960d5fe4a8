"""Whether the instance may get traffic, asked often and answered at once.

A dependency is asked by a thread of its own, once a second; the probe reads what was found last and how old that
is. So a database that hangs makes the instance unready after a second, and never makes the probe wait.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from platform_kit.liveness import Activity, Clock

INTERVAL_SECONDS = 1.0
# An answer that takes longer counts as none.
TIMEOUT_SECONDS = 1.0
# Two rounds, each as slow as allowed: an older result says that the thread is gone.
STALE_SECONDS = 2 * (INTERVAL_SECONDS + TIMEOUT_SECONDS)


@dataclass(frozen=True, slots=True)
class Result:
    """What a check found."""

    ok: bool
    detail: str


class Check:
    """A question to a dependency: `ask` returns a detail, or raises to say what is wrong."""

    def __init__(self, name: str, ask: Callable[[], str], *, clock: Clock = time.monotonic) -> None:
        self.name = name
        self._ask = ask
        self._clock = clock
        self._asked_at: float | None = None
        self._last: tuple[Result, float] | None = None

    def run(self) -> None:
        """Ask once and keep what comes out."""
        self._asked_at = self._clock()
        self._last = (self._answer(), self._clock())
        self._asked_at = None

    def run_until(self, stop: threading.Event) -> None:
        """Ask now and every second until told to stop."""
        self.run()
        while not stop.wait(INTERVAL_SECONDS):
            self.run()

    def result(self) -> Result:
        """Return what was found last, or that it is missing, overdue or too old. Never waits."""
        now = self._clock()
        asked_at, last = self._asked_at, self._last
        if asked_at is not None and now - asked_at > TIMEOUT_SECONDS:
            return Result(ok=False, detail=f"no answer for {now - asked_at:.1f} s")
        if last is None:
            return Result(ok=False, detail="not asked yet")
        result, found_at = last
        if now - found_at > STALE_SECONDS:
            return Result(ok=False, detail=f"last asked {now - found_at:.1f} s ago")
        return result

    def _answer(self) -> Result:
        try:
            return Result(ok=True, detail=self._ask())
        except Exception as error:  # noqa: BLE001 - whatever is wrong, the answer to "ready?" is no
            return Result(ok=False, detail=(str(error) or type(error).__name__).splitlines()[0])


class Readiness:
    """All that has to be so before the instance may get traffic."""

    def __init__(self, activity: Activity, checks: list[Check]) -> None:
        self.checks = checks
        self.started = False
        self._activity = activity

    def results(self) -> dict[str, Result]:
        """Return every check's last result by its name."""
        return {
            "started": Result(self.started, "started" if self.started else "starting"),
            **{check.name: check.result() for check in self.checks},
            "draining": _draining(self._activity.draining),
        }


def _draining(draining: bool) -> Result:  # noqa: FBT001 - the only thing it is about
    return Result(not draining, "draining" if draining else "not draining")
