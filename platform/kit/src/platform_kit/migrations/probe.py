"""A write every so often, timed: what a backfill costs those who write beside it, measured and not guessed."""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from pathlib import Path
from typing import Self

from sqlalchemy.exc import SQLAlchemyError

from platform_kit.migrations.bookkeeping import SCHEMA
from platform_kit.migrations.guard import APPLICATION, engine

EVERY_SECONDS = 0.02
# A second's worth: what was longer ago says nothing about the pause that comes.
KEPT = 25
WRITE = f'UPDATE "{SCHEMA}".probes SET writes = writes + 1 WHERE id = 1'  # noqa: S608 - constants


class Probe:
    """Writes to a row of its own until the end of the block."""

    def __init__(self, database_url: str | Path) -> None:
        self._engine = engine(database_url, application=f"{APPLICATION} probe")
        self._seconds: deque[float] = deque(maxlen=KEPT)
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._write, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def write_seconds(self) -> float | None:
        """Return how long nine of ten of the last writes took at most; None before there was any."""
        last = sorted(self._seconds)
        return last[int(0.9 * (len(last) - 1))] if last else None

    def _write(self) -> None:
        # Without the probe the batches' own length still bounds them: no reason to end the run.
        with contextlib.suppress(SQLAlchemyError):
            self._write_until_stopped()

    def _write_until_stopped(self) -> None:
        with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            while not self._stop.wait(EVERY_SECONDS):
                began = time.perf_counter()
                connection.exec_driver_sql(WRITE)
                self._seconds.append(time.perf_counter() - began)
