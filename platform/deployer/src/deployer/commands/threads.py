"""Threads for work that goes on side by side."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager


@contextmanager
def threads(count: int) -> Iterator[ThreadPoolExecutor]:
    """Give that many threads and wait for them at the end, but not after Ctrl-C.

    What they were doing is in the ledger; whoever comes next goes on from there.
    """
    pool = ThreadPoolExecutor(max_workers=count)
    waits = True
    try:
        yield pool
    except KeyboardInterrupt:
        waits = False
        raise
    finally:
        pool.shutdown(wait=waits, cancel_futures=not waits)
