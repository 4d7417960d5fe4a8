"""What `bench/analysis.py` has promised, and whether what it measured keeps that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rollouts import Timing

P90 = {0.5: 40, 0.2: 180, 0.1: 1_200}  # the candidate's requests, by the share that fails
CLEAN = (0, 1_000, 5_000)  # after so many good ones
HEALTHY = 0.01
SLOW_SECONDS = (1.0, 2.5)  # what a p95 of 1.5 s may be told as: a bucket of the router's off
SUCCESSES = (0.97, 0.6)  # of the attempts, before they fall
TIMED_ROLLOUTS, TIMED_LOOKS, TIMED_SECONDS = 10_000, 60, 90

Found = dict[str, float | None]


@dataclass(frozen=True, slots=True)
class Budget:
    """What was promised, what was measured, and whether the one keeps the other."""

    promised: str
    measured: float | None
    holds: bool


def budgets(
    detected: dict[str, dict[str, Found]],
    taken_back: dict[str, dict[str, float]],
    down: dict[str, int],
) -> Iterator[tuple[str, Budget]]:
    """Yield every budget by the name of its row."""
    ours = {name: cells["ours"] for name, cells in detected.items()}
    for share, most in P90.items():
        for clean in CLEAN:
            name = f"{share} errors after {clean}"
            p90 = ours[name]["p90"]
            yield name, Budget(f"p90 <= {most}", p90, p90 is not None and p90 <= most)
    yield "p95 of 1.5 s", told(ours["p95 of 1.5 s"])
    for share in SUCCESSES:
        name = f"orders down 30 % from {share}"
        p90 = ours[name]["p90"]
        yield name, Budget("found by nine of ten", p90, p90 is not None)
    for name, shares in taken_back.items():
        yield name, left_alone(shares)
    yield "metrics down 10 minutes", undecided(down)


def timing_budget(timed: Timing) -> Budget:
    """Return whether the rollouts that were promised took no longer than was promised."""
    enough = timed.rollouts >= TIMED_ROLLOUTS and timed.looks_a_rollout >= TIMED_LOOKS
    promised = f"{TIMED_ROLLOUTS} rollouts of {TIMED_LOOKS} looks in <= {TIMED_SECONDS} s"
    return Budget(promised, timed.seconds, enough and timed.seconds <= TIMED_SECONDS)


def told(slower: Found) -> Budget:
    """Return whether the latency fault was always found, and its p95 told."""
    figure, (low, high) = slower["p95_seconds"], SLOW_SECONDS
    right = slower["p95_told"] == 1.0 and figure is not None and low < figure <= high
    promised = f"all found, each told with its p95, in the middle {low} to {high} s"
    return Budget(promised, figure, right and not slower["missed"])


def left_alone(shares: dict[str, float]) -> Budget:
    """Return whether healthy releases were hardly ever rolled back."""
    rolled_back = shares["ours"]
    return Budget(f"<= {HEALTHY} rolled back", rolled_back, rolled_back <= HEALTHY)


def undecided(down: dict[str, int]) -> Budget:
    """Return whether nothing was decided while nobody could see."""
    decided = down["promoted"] + down["rolled-back"]
    return Budget("0 decided meanwhile", decided, not decided)
