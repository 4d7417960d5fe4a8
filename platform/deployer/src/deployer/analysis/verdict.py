"""What the analysis says of a step, by which rule, and with which numbers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class VerdictKind(StrEnum):
    """Bad, no data and can't see are three things; only the first turns a rollout back."""

    PASS = "pass"  # noqa: S105  # a verdict, no password
    FAIL = "fail"
    MORE_DATA = "more-data"
    BLIND = "blind"
    HOLD = "hold"


class Rule(StrEnum):
    """The rule that decided. The words are stable: ledgers and the reference pages hold them."""

    ERROR_SHARE = "error-share"
    SLOW_SHARE = "slow-share"
    ERRORS_AGAINST_LIVE = "errors-against-live"
    SLOW_AGAINST_LIVE = "slow-against-live"
    REFUSALS_AGAINST_LIVE = "refusals-against-live"
    BUSINESS = "business"
    HEALTH = "health"
    MEMORY = "memory"
    CPU = "cpu"
    HOLD_OVER = "hold-over"
    LIVE_BROKEN = "live-broken"
    TOO_FEW_REQUESTS = "too-few-requests"
    METRICS_UNREACHABLE = "metrics-unreachable"
    BOTH_SLOTS_BAD = "both-slots-bad"
    HOLDING = "holding"
    GATE = "gate"
    PAUSED = "paused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer to one look: `reason` is a sentence, `numbers` are what it speaks of, by name."""

    kind: VerdictKind
    rule: Rule
    reason: str
    numbers: tuple[tuple[str, float], ...] = ()
