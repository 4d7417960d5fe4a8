"""What the tests of the analysis make looks of, and play them with."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from deployer.analysis import (
    Analysis,
    Counts,
    Limits,
    Look,
    Outcome,
    Verdict,
    VerdictKind,
    begin,
    begin_step,
    judge,
)


def analysis(
    *,
    limits: Limits | None = None,
    hold: float = 60,
    patience: float = 60,
    compare: bool = True,
    planned: float = 10_000,
    business: tuple[str, ...] = (),
) -> Analysis:
    begun = begin(limits or Limits(), planned, compare=compare, business=business)
    return begin_step(begun, at=0, hold_seconds=hold, patience_seconds=patience)


def look(at: float, requests: int = 0, live: int = 0, **more: Any) -> Look:
    """A healthy look; failed, slow, refused and live_failed... are counts, the rest fields."""
    names = ("failed", "slow", "refused")
    own = {name: more.pop(name) for name in names if name in more}
    other = {name: more.pop(f"live_{name}") for name in names if f"live_{name}" in more}
    seen = {"candidate_healthy": True, "memory_share": 0.3, "cpu_share": 0.3, "instances_since": 0}
    return Look(at, Counts(requests, **own), Counts(live, **other), **{**seen, **more})


def orders(attempts: int, successes: int, *, name: str = "orders") -> tuple[Outcome, ...]:
    return (Outcome(name, attempts, successes),)


def play(state: Analysis, looks: Iterable[Look]) -> tuple[Analysis, list[Verdict]]:
    verdicts = []
    for each in looks:
        state, verdict = judge(state, each)
        verdicts.append(verdict)
    return state, verdicts


def first(verdicts: Iterable[Verdict], *kinds: VerdictKind) -> Verdict | None:
    return next((verdict for verdict in verdicts if verdict.kind in kinds), None)


def kinds(verdicts: Iterable[Verdict]) -> set[VerdictKind]:
    return {verdict.kind for verdict in verdicts}
