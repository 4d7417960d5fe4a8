"""How many rows a batch has and how long to pause after it, so that those who write beside it hardly notice.

A batch holds the locks of its rows until it commits, so its length is what a writer of one of them waits: it is kept
at half of what a write may take. The rest is what all writers feel, the processor and the log: when a write takes
longer than it may, the pauses double, up to nine tenths of the time; when it does not, they shrink.
"""

from __future__ import annotations

# Of the 25 ms that the slowest of a hundred writes may take beside a backfill (bench/backfill.py).
WRITER_SECONDS = 0.016


class Throttle:
    """The size of the next batch and the pause before it. Pure: times in, numbers out."""

    SMALLEST, LARGEST, FIRST = 50, 5_000, 200
    # Of a batch's time, however fast everything is: others get the processor in between.
    LEAST_PAUSE = 0.1
    # Nor longer: where writes are slow whoever else is at work, waiting for them would be for ever.
    LONGEST_PAUSE = 9.0

    def __init__(self, writer_seconds: float = WRITER_SECONDS) -> None:
        """Take how long a write may take beside the backfill, in seconds."""
        self.size = self.FIRST
        self.pause_seconds = 0.0
        self._writer_seconds = writer_seconds

    def observe(self, batch_seconds: float, *, rows: int, write_seconds: float | None) -> None:
        """Learn from a batch, and from how long a write took beside it (None when none was made)."""
        if rows == self.size:  # a last, short batch says little about the next
            fits = (self._writer_seconds / 2) / max(batch_seconds, 1e-6)
            self._resize(min(max(fits, 0.5), 1.25))
        least, most = batch_seconds * self.LEAST_PAUSE, batch_seconds * self.LONGEST_PAUSE
        if write_seconds is not None and write_seconds > self._writer_seconds:
            longer = max(self.pause_seconds * 2, batch_seconds / 2)
            self.pause_seconds = min(longer, most)
        else:
            self.pause_seconds = min(max(self.pause_seconds * 0.7, least), most)

    def stumble(self) -> None:
        """Learn that a batch got no lock: somebody has one of its rows for long. Fewer have fewer."""
        self._resize(0.5)

    def _resize(self, factor: float) -> None:
        self.size = min(max(round(self.size * factor), self.SMALLEST), self.LARGEST)
