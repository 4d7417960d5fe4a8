"""Threads for work that goes on side by side."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

# The kernel may hand a signal to any thread. Python answers it in the main one, but not while that
# waits for a lock without end: it has to come up for air.
SLICE_SECONDS = 0.1


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


def gather(jobs: Sequence[Future[T]]) -> tuple[T, ...]:
    """Wait for all jobs and return their results in order; Ctrl-C is heard at once meanwhile.

    Raises what the first of them that failed has raised, when none is under way any more.
    """
    while wait(jobs, timeout=SLICE_SECONDS).not_done:
        pass
    return tuple(job.result() for job in jobs)
