"""What the demo found out: the figures of `.deployer/demo.json`, computed from every answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from deployer.commands.demo.traffic import Answer
from deployer.model import ServiceName


@dataclass(frozen=True, slots=True)
class Promotion:
    """The good release: how many requests it saw on its way, and how many were lost."""

    requests: int
    failed: int
    seconds: float


@dataclass(frozen=True, slots=True)
class BadRelease:
    """The bad release: what it broke, and how soon that was over. Times in seconds."""

    requests: int
    injected_errors: int
    failed_besides: int
    fault_to_verdict_seconds: float
    verdict_to_traffic_back_seconds: float
    candidate_requests_at_verdict: int


@dataclass(frozen=True, slots=True)
class Report:
    """The whole story in figures. `served` counts answers by version."""

    up_seconds: float
    story_seconds: float
    pss_mb: float
    slot_mb: dict[str, float]
    promotion: Promotion
    bad_release: BadRelease
    untouched: dict[ServiceName, bool]
    served: dict[str, int]

    @property
    def kept(self) -> bool:
        """Whether the demo kept its promises: nothing lost, nobody else touched."""
        lost = self.promotion.failed + self.bad_release.failed_besides
        return lost == 0 and all(self.untouched.values())


def promotion_of(answers: Sequence[Answer], *, seconds: float) -> Promotion:
    """Sum up the answers that came while the good release went out."""
    failed = sum(not answer.ok for answer in answers)
    return Promotion(len(answers), failed, round(seconds, 2))


def bad_release_of(answers: Sequence[Answer], *, version: str, verdict_at: float) -> BadRelease:
    """Sum up the answers that came from the bad release's first traffic to its end."""
    injected = [answer for answer in answers if answer.injected]
    by_candidate = [answer for answer in answers if answer.version == version]
    before = [answer for answer in by_candidate if answer.at <= verdict_at]
    fault_at = min((answer.at for answer in injected), default=verdict_at)
    last_at = max((answer.at for answer in by_candidate), default=verdict_at)
    return BadRelease(
        requests=len(answers),
        injected_errors=len(injected),
        failed_besides=sum(not (answer.ok or answer.injected) for answer in answers),
        fault_to_verdict_seconds=round(verdict_at - fault_at, 3),
        verdict_to_traffic_back_seconds=round(max(0.0, last_at - verdict_at), 3),
        candidate_requests_at_verdict=len(before),
    )


def served_by_version(answers: Sequence[Answer]) -> dict[str, int]:
    """Count the answers by service and version."""
    counts = Counter(f"{answer.service}@{answer.version}" for answer in answers if answer.version)
    return dict(sorted(counts.items()))
