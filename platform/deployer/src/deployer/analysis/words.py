"""The verdicts' sentences: each says what was counted, what is allowed, and what decided."""

from __future__ import annotations

from deployer.analysis.evidence import Evidence, share
from deployer.analysis.limits import Limits
from deployer.analysis.percentile import Percentile, p95_of
from deployer.analysis.streak import Streak
from deployer.analysis.verdict import Rule, Verdict, VerdictKind
from deployer.metrics.counts import Counts

_RESOURCES = {Rule.MEMORY: "memory", Rule.CPU: "CPU"}


def above_limit(signal: Evidence, limits: Limits, *, limit: float, threshold: float) -> Verdict:
    """Fail: the candidate's share of bad requests is above its limit."""
    p95 = _p95(signal, limits)
    reason = (
        f"{_of(signal.bad, signal.requests)} {_did(signal.rule, limits)}{_with(p95)}, "
        f"limit {_percent(limit)}; {_passes(signal, threshold)}"
    )
    numbers = (*_numbers(signal, threshold, limit), *_figures(signal, p95))
    return Verdict(VerdictKind.FAIL, signal.rule, reason, numbers)


def worse_than_live(signal: Evidence, limits: Limits, *, threshold: float) -> Verdict:
    """Fail: the candidate is bad more than `margin` times as often as live."""
    p95 = _p95(signal, limits)
    reason = (
        f"{_of(signal.bad, signal.requests)} {_did(signal.rule, limits)} on the candidate"
        f"{_with(p95)} and "
        f"{_of(signal.live_bad, signal.live_requests)} on live over the same seconds, "
        f"{limits.margin:g} times as often is allowed; {_passes(signal, threshold)}"
    )
    numbers = (*_numbers(signal, threshold), ("margin", limits.margin), *_figures(signal, p95))
    return Verdict(VerdictKind.FAIL, signal.rule, reason, numbers)


def fewer_succeed(signal: Evidence, limits: Limits, *, threshold: float) -> Verdict:
    """Fail: of a business pair fewer attempts succeed than on live."""
    done, live_done = signal.requests - signal.bad, signal.live_requests - signal.live_bad
    reason = (
        f"{signal.name}: {done:,} of {signal.requests:,} attempts succeeded on the candidate, "
        f"{live_done:,} of {signal.live_requests:,} on live over the same seconds; "
        f"{_percent(limits.business_drop)} less often is allowed, and {limits.margin:g} times as "
        f"many without success; {_passes(signal, threshold)}"
    )
    numbers = (
        ("attempts", float(signal.requests)),
        ("successes", float(done)),
        ("share", share(done, signal.requests)),
        ("live_attempts", float(signal.live_requests)),
        ("live_successes", float(live_done)),
        ("live_share", share(live_done, signal.live_requests)),
        ("evidence", signal.value),
        ("threshold", threshold),
        ("drop", limits.business_drop),
        ("margin", limits.margin),
        *_figures(signal, None),
    )
    return Verdict(VerdictKind.FAIL, Rule.BUSINESS, reason, numbers)


def both_bad(signal: Evidence, limits: Limits, *, limit: float, threshold: float) -> Verdict:
    """Hold: candidate and live are above the limit alike, so it is not the release."""
    reason = (
        f"both slots are bad alike, so it is not the release: "
        f"{_of(signal.bad, signal.requests)} {_did(signal.rule, limits)} on the candidate and "
        f"{_of(signal.live_bad, signal.live_requests)} on live over the same seconds, "
        f"limit {_percent(limit)}; a person decides"
    )
    numbers = _numbers(signal, threshold, limit)
    return Verdict(VerdictKind.HOLD, Rule.BOTH_SLOTS_BAD, reason, numbers)


def unhealthy(streak: Streak, *, allowed: int) -> Verdict:
    """Fail: more health checks in a row than allowed."""
    reason = f"health failed {streak.looks} times in a row, {allowed} are allowed"
    numbers = (
        ("failures", float(streak.looks)),
        ("allowed", float(allowed)),
        *_since(streak.since),
    )
    return Verdict(VerdictKind.FAIL, Rule.HEALTH, reason, numbers)


def resource(rule: Rule, used: float, limits: Limits, *, streak: Streak) -> Verdict:
    """Fail: memory or CPU stayed above its share of the instance's limit."""
    reason = (
        f"{_RESOURCES[rule]} was above {_percent(limits.resource_share)} of an instance's limit "
        f"{streak.looks} looks in a row, {_percent(used)} at the last"
    )
    numbers = (
        ("share", used),
        ("limit", limits.resource_share),
        ("looks", float(streak.looks)),
        *_since(streak.since),
    )
    return Verdict(VerdictKind.FAIL, rule, reason, numbers)


def unreachable(held: float) -> Verdict:
    """Blind: the router's metrics did not answer."""
    reason = "the router's metrics could not be read, so this look says nothing"
    return Verdict(
        VerdictKind.BLIND, Rule.METRICS_UNREACHABLE, reason, (("held_seconds", max(0.0, held)),)
    )


def holding(
    step: Counts, *, held: float, hold_seconds: float, needed: int, counted: int
) -> Verdict:
    """More data: the hold is not over, or something is being counted against the candidate."""
    reason = f"held {held:.0f} of {hold_seconds:.0f} s; {step.requests:,} of {needed:,} requests"
    if counted:
        reason += f"; health, memory or CPU was bad {counted} looks in a row"
    numbers = (
        ("held_seconds", held),
        ("hold_seconds", hold_seconds),
        ("requests", float(step.requests)),
        ("needed", float(needed)),
        ("in_a_row", float(counted)),
    )
    return Verdict(VerdictKind.MORE_DATA, Rule.HOLDING, reason, numbers)


def hold_over(step: Counts, limits: Limits, *, held: float, needed: int) -> Verdict:
    """Pass: the hold is over, nothing fails, and a fault would have shown."""
    reason = (
        f"held {held:.0f} s: of {step.requests:,} requests {step.failed:,} failed and "
        f"{step.slow:,} were slow; {needed:,} would have shown a {_percent(limits.detect_share)} fault "
        f"with {_percent(limits.detect_power)}"
    )
    numbers = (
        ("held_seconds", held),
        ("requests", float(step.requests)),
        ("needed", float(needed)),
        ("failed", float(step.failed)),
        ("slow", float(step.slow)),
    )
    return Verdict(VerdictKind.PASS, Rule.HOLD_OVER, reason, numbers)


def live_broken(
    step: Counts,
    live: Evidence,
    limits: Limits,
    *,
    held: float,
    needed: int,
    threshold: float,
) -> Verdict:
    """Pass: live is above the limit and the candidate is not, so there is nothing to wait for."""
    reason = (
        f"live is broken: {_of(live.bad, live.requests)} failed there, limit "
        f"{_percent(limits.error_share)}; {_passes(live, threshold)}; on the candidate "
        f"{_of(step.failed, step.requests)} failed, so it does not wait for its hold"
    )
    numbers = (
        ("held_seconds", held),
        ("requests", float(step.requests)),
        ("needed", float(needed)),
        ("failed", float(step.failed)),
        ("slow", float(step.slow)),
        ("live_requests", float(live.requests)),
        ("live_bad", float(live.bad)),
        ("live_share", share(live.bad, live.requests)),
        ("evidence", live.value),
        ("threshold", threshold),
        ("limit", limits.error_share),
        *_since(live.since),
    )
    return Verdict(VerdictKind.PASS, Rule.LIVE_BROKEN, reason, numbers)


def too_few(
    step: Counts, limits: Limits, *, held: float, needed: int, patience_over: bool
) -> Verdict:
    """More data, or hold when patience is over: a fault might not have shown yet."""
    missing = needed - step.requests
    rate = step.requests / held if held > 0 else 0.0
    when = f"about {missing / rate:,.0f} s at {rate:.2g} requests/s" if rate else "none came so far"
    reason = (
        f"{step.requests:,} of the {needed:,} requests that would show a "
        f"{_percent(limits.detect_share)} fault with {_percent(limits.detect_power)}: "
        f"{missing:,} more, {when}"
    )
    if patience_over:
        reason += "; patience is over, a person decides"
    numbers = [
        ("requests", float(step.requests)),
        ("needed", float(needed)),
        ("missing", float(missing)),
        ("rate", rate),
    ]
    if rate:
        numbers.append(("seconds", missing / rate))
    kind = VerdictKind.HOLD if patience_over else VerdictKind.MORE_DATA
    return Verdict(kind, Rule.TOO_FEW_REQUESTS, reason, tuple(numbers))


def _of(bad: int, requests: int) -> str:
    return f"{bad:,} of {requests:,} requests ({_percent(share(bad, requests))})"


def _did(rule: Rule, limits: Limits) -> str:
    if rule in {Rule.ERROR_SHARE, Rule.ERRORS_AGAINST_LIVE}:
        return "failed"
    if rule is Rule.REFUSALS_AGAINST_LIVE:
        return "were refused (4xx)"
    return f"took longer than {limits.slow_seconds:g} s"


def _passes(signal: Evidence, threshold: float) -> str:
    return f"evidence {signal.value:,.0f} passes {threshold:,.0f}"


def _p95(signal: Evidence, limits: Limits) -> Percentile | None:
    slow = limits.slow_seconds
    return p95_of(signal.latency, requests=signal.requests, slow_seconds=slow)


def _with(p95: Percentile | None) -> str:
    return "" if p95 is None else f" (p95 {p95})"


def _figures(signal: Evidence, p95: Percentile | None) -> tuple[tuple[str, float], ...]:
    figure = () if p95 is None else (("p95", p95.seconds),)
    return (*figure, *_since(signal.since))


def _since(at: float | None) -> tuple[tuple[str, float], ...]:
    return () if at is None else (("since", at),)


def _percent(part: float) -> str:
    return f"{100 * part:.3g} %"


def _numbers(
    signal: Evidence, threshold: float, limit: float | None = None
) -> tuple[tuple[str, float], ...]:
    numbers = [
        ("requests", float(signal.requests)),
        ("bad", float(signal.bad)),
        ("share", share(signal.bad, signal.requests)),
        ("live_requests", float(signal.live_requests)),
        ("live_bad", float(signal.live_bad)),
        ("live_share", share(signal.live_bad, signal.live_requests)),
        ("evidence", signal.value),
        ("threshold", threshold),
    ]
    if limit is not None:
        numbers.append(("limit", limit))
    return tuple(numbers)
