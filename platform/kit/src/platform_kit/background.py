"""The threads beside the requests: readiness checks, and the service's own jobs."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from types import TracebackType
from typing import Self

from flask import Flask

from platform_kit.instance import Instance, Job
from platform_kit.logs import logger

# A job that failed is begun again, but not in a tight loop.
RESTART_SECONDS = 1.0
# A check that hangs must not keep the process from ending: its thread is a daemon.
JOIN_SECONDS = 2.0

log = logger(__name__)


class Background:
    """Running threads; stop them with `stop` or by leaving the `with` block."""

    def __init__(self, loops: Mapping[str, Job]) -> None:
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=loop, args=(self._stop,), name=name, daemon=True)
            for name, loop in loops.items()
        ]
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """Tell all threads to end and wait a moment for them."""
        self._stop.set()
        for thread in self._threads:
            thread.join(JOIN_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()


def start_background(app: Flask) -> Background:
    """Start the checks and jobs of an app that `create_app` made; from now on it may be ready."""
    instance = Instance.of(app)
    loops: dict[str, Job] = {
        f"check-{check.name}": check.run_until for check in instance.readiness.checks
    }
    for number, job in enumerate(instance.jobs, start=1):
        loops[f"job-{number}"] = _kept_running(job)
    instance.readiness.started = True
    return Background(loops)


def _kept_running(job: Job) -> Job:
    def loop(stop: threading.Event) -> None:
        while not stop.is_set():
            try:
                job(stop)
            except Exception:  # the edge of a thread: log it, begin again
                log.exception("job_failed", job=repr(job))
            stop.wait(RESTART_SECONDS)

    return loop
