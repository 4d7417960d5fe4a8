"""How long each part took, one line each to standard error, for whoever watches or reads a log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def timed(part: str, *, to: dict[str, float] | None = None) -> Iterator[None]:
    """Say how many seconds a part took, also when it failed."""
    start = time.monotonic()
    outcome = "failed after"
    try:
        yield
        outcome = "took"
    finally:
        seconds = time.monotonic() - start
        if to is not None:
            to[part] = round(seconds, 1)
        sys.stderr.write(f"testbed: {part} {outcome} {seconds:.1f} s\n")
        sys.stderr.flush()
