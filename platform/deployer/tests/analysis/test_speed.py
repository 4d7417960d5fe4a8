"""Judging is cheap enough to simulate ten thousand rollouts while somebody waits."""

from __future__ import annotations

import random
import sys
import time
import timeit
from collections.abc import Iterator
from contextlib import contextmanager

from analysis.looks import analysis, look, orders, play

from deployer.analysis import Latency, Look
from deployer.targets.local.router import BUCKETS


def busy_look(rng: random.Random, at: int) -> Look:
    """About 20 requests of the candidate and 180 of live, some bad, and a few orders."""
    attempts, live_attempts = rng.randint(2, 8), rng.randint(20, 60)
    bad = {what: rng.random() < 0.1 for what in ("failed", "slow", "refused")}
    live_bad = {f"live_{what}": rng.randint(0, 2) for what in ("failed", "slow", "refused")}
    return look(
        at,
        rng.randint(14, 26),
        rng.randint(160, 200),
        **bad,
        **live_bad,
        latency=Latency(BUCKETS, (1,) * (len(BUCKETS) + 1)),
        outcomes=orders(attempts, attempts - (rng.random() < 0.1)),
        live_outcomes=orders(live_attempts, live_attempts - rng.randint(0, 3)),
    )


@contextmanager
def untraced() -> Iterator[None]:
    """Without the coverage that CI measures: it takes three times as long as what it measures."""
    trace = sys.gettrace()
    sys.settrace(None)
    yield
    sys.settrace(trace)


def test_a_look_at_six_signals_takes_fifty_microseconds() -> None:
    """41 measured on a free core, with looks that no cache has seen; a busy one may take five times as long."""
    rng, state = random.Random(107), analysis(business=("orders",), hold=900)
    rollouts = [[busy_look(rng, at) for at in range(60)] for _ in range(12)]
    with untraced():
        seconds = min(
            timeit.timeit(lambda i=i: play(state, rollouts[i]), timer=time.process_time, number=1)
            for i in range(12)
        )

    assert seconds / 60 < 5 * 50e-6
