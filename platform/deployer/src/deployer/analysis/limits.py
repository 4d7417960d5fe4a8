"""What rolls a release back: the policy that the analysis judges by."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits; the defaults are the mission's. Shares are of one.

    `error_share`, `slow_share`: the share of failed, of slow requests that is still allowed. "p95
    above 1 s" is the second at 5 %. `slow_seconds` is what slow means; the router's histogram has a
    bucket there.
    `health_failures`: so many in a row are allowed, the next one fails.
    `resource_share`, `resource_looks`, `warmup_seconds`: memory or CPU above that share of the
    instance's limit, so many looks in a row, not counting the instance's first seconds.
    `alpha`: the chance that a release within the limits is rolled back, all signals of a rollout
    together. `detect_share`, `detect_power`: a step passes when so large a share of bad requests
    would have been caught so surely.
    `margin`: the candidate may be bad so many times as often as live: 0.12 % against 0.10 % is
    noise of the environment, not a fault. `business_drop`: and its attempts may succeed so much less
    often.
    """

    error_share: float = 0.05
    slow_share: float = 0.05
    slow_seconds: float = 1.0
    health_failures: int = 3
    resource_share: float = 0.90
    resource_looks: int = 3
    warmup_seconds: float = 30.0
    alpha: float = 0.01
    detect_share: float = 0.20
    detect_power: float = 0.90
    margin: float = 2.0
    business_drop: float = 0.10
