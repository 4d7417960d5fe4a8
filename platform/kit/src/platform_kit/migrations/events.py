"""What a run has to say while it is at work: a JSON object a line to stderr, or a bar for a person who looks."""

from __future__ import annotations

import json
import sys
import time

BAR = 30
EVERY_SECONDS = 1.0


def tell(event: str, **keys: object) -> None:
    """Write one event."""
    sys.stderr.write(json.dumps({"event": event, **keys}, default=str) + "\n")
    sys.stderr.flush()


class Progress:
    """How far a backfill is: told once a second, at the end, and drawn as a bar on a terminal."""

    def __init__(self, table: str, *, rows: int, done: int) -> None:
        """Take how many rows there are by the planner's estimate, and how many an earlier run did."""
        self._table, self._of, self._done = table, max(rows, 1), done
        self._began = self._told = time.monotonic()
        self._mine = 0

    def advance(self, rows: int, *, batch: int) -> None:
        """Count rows that were committed."""
        self._mine += rows
        now = time.monotonic()
        if now - self._told >= EVERY_SECONDS:
            self._told = now
            self._tell("backfill_advanced", batch=batch)

    def finish(self) -> None:
        """Tell the end, if there was anything to do."""
        if self._mine:
            self._of = self._done + self._mine
            self._tell("backfill_finished")
            if sys.stderr.isatty():
                sys.stderr.write("\n")

    def _tell(self, event: str, **keys: object) -> None:
        done = self._done + self._mine
        share = min(1.0, done / self._of)
        rate = self._mine / max(time.monotonic() - self._began, 1e-9)
        left = max(0, self._of - done) / max(rate, 1e-9)
        if sys.stderr.isatty():
            bar = ("#" * round(BAR * share)).ljust(BAR, ".")
            line = f"\r{self._table} [{bar}] {share:4.0%} {rate:,.0f} rows/s, {left:,.0f} s left "
            sys.stderr.write(line)
            sys.stderr.flush()
            return
        figures = {"rows": done, "of": self._of, "share": round(share, 3)}
        speed = {"rows_per_second": round(rate), "seconds_left": round(left, 1)}
        tell(event, table=self._table, **figures, **speed, **keys)
