"""The verdicts' sentences: each says what was counted, what is allowed, and what decided."""

from __future__ import annotations

from deployer.analysis.evidence import Evidence, share
from deployer.analysis.limits import Limits
from deployer.analysis.verdict import Rule, Verdict, VerdictKind
from deployer.metrics.counts import Counts

_RESOURCES = {Rule.MEMORY: "memory", Rule.CPU: "CPU"}


def above_limit(signal: Evidence, limits: Limits, *, limit: float, threshold: float) -> Verdict:
    """Fail: the candidate's share of bad requests is above its limit."""
    reason = (
        f"{_of(signal.bad, signal.requests)} {_did(signal.rule, limits)}, "
        f"limit {_percent(limit)}; {_passes(signal, threshold)}"
    )
    return Verdict(VerdictKind.FAIL, signal.rule, reason, _numbers(signal, threshold, limit))


def worse_than_live(signal: Evidence, limits: Limits, *, threshold: float) -> Verdict:
    """Fail: the candidate is bad more than `margin` times as often as live."""
    reason = (
        f"{_of(signal.bad, signal.requests)} {_did(signal.rule, limits)} on the candidate and "
        f"{_of(signal.live_bad, signal.live_requests)} on live over the same seconds, "
        f"{limits.margin:g} times as often is allowed; {_passes(signal, threshold)}"
    )
    numbers = (*_numbers(signal, threshold), ("margin", limits.margin))
    return Verdict(VerdictKind.FAIL, signal.rule, reason, numbers)


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


def unhealthy(failures: int, *, allowed: int) -> Verdict:
    """Fail: more health checks in a row than allowed."""
    reason = f"health failed {failures} times in a row, {allowed} are allowed"
    numbers = (("failures", float(failures)), ("allowed", float(allowed)))
    return Verdict(VerdictKind.FAIL, Rule.HEALTH, reason, numbers)


def resource(rule: Rule, used: float, limits: Limits, *, looks: int) -> Verdict:
    """Fail: memory or CPU stayed above its share of the instance's limit."""
    reason = (
        f"{_RESOURCES[rule]} was above {_percent(limits.resource_share)} of an instance's limit "
        f"{looks} looks in a row, {_percent(used)} at the last"
    )
    numbers = (("share", used), ("limit", limits.resource_share), ("looks", float(looks)))
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
