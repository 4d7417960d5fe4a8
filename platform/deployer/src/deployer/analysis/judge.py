"""The judge: an analysis and a look in, the next analysis and a verdict out.

Pure and total: the same looks give the same verdicts, whenever they are replayed. What decides, in
this order:

1. The router did not answer: `blind`. Nothing is counted, nothing is forgotten.
2. Health failed more often in a row than allowed, or memory or CPU stayed above their share:
   `fail`.
3. A signal against live rejects, or a signal against its limit does: `fail`, unless *both slots are
   bad*: the candidate's share passed its limit by the test, live's share over the same seconds (the
   signal's window) is above the same limit, and the same bad requests do not reject against live.
   Then it is `hold`: going back would not help, and a person decides. With the window the answer
   mends itself: when live only seemed bad because it had few requests, the next looks show it. At a
   weight of 100 live has no requests, so what both slots share can't be told from the release
   there, and is `fail`.
4. The hold is not over: `more-data` by `holding`. So it is while health or a resource is being
   counted against the candidate: a step does not pass on its second failed health check.
   The exception is a live release that is broken: its failed requests pass the limit by the same
   test, nothing speaks against the candidate, and its own share over enough requests of the step is
   within the limit. Then it is `pass` at once: every second of hold is a second of a broken shop.
   Not in a step without traffic for live, as the check after promotion: what was seen of it is
   old, it serves nobody, and an early pass would only shorten the check.
5. Enough requests in this step that a fault of `detect_share` would have been caught with
   `detect_power`: `pass`. Otherwise `more-data`, with what is missing, for `patience_seconds` after
   the hold, then `hold`.

Evidence, and what is counted in a row, carries on over the steps of a rollout; requests are counted
anew each step. Requests of one slot that come while the other has none wait, and are compared
together with the next ones, so that a low weight and frequent looks lose nothing.
"""

from __future__ import annotations

from deployer.analysis import words
from deployer.analysis.count import count
from deployer.analysis.evidence import LIVE_RULES, OWN_RULES, limit_of, share
from deployer.analysis.look import Look
from deployer.analysis.state import Analysis
from deployer.analysis.verdict import Rule, Verdict


def judge(analysis: Analysis, look: Look) -> tuple[Analysis, Verdict]:
    """Return the analysis after the look, and what it says of the step."""
    if not look.reachable:
        return analysis, words.unreachable(look.at - analysis.step_at)
    analysis = count(analysis, look)
    verdict = _instances(analysis, look) or _requests(analysis) or _progress(analysis, look.at)
    return analysis, verdict


def _instances(analysis: Analysis, look: Look) -> Verdict | None:
    """Return the fail of what is counted in a row, if any is over."""
    limits = analysis.limits
    if analysis.unhealthy.looks > limits.health_failures:
        return words.unhealthy(analysis.unhealthy, allowed=limits.health_failures)
    memory, cpu = analysis.memory_high, analysis.cpu_high
    if memory.looks >= limits.resource_looks and look.memory_share is not None:
        return words.resource(Rule.MEMORY, look.memory_share, limits, streak=memory)
    if cpu.looks >= limits.resource_looks and look.cpu_share is not None:
        return words.resource(Rule.CPU, look.cpu_share, limits, streak=cpu)
    return None


def _requests(analysis: Analysis) -> Verdict | None:
    """Return the fail or the hold of the signals, if any rejects. A fail comes first."""
    signals, limits = analysis.evidence, analysis.limits
    threshold = analysis.threshold
    rejecting = [signal for signal in signals if signal.value > threshold]
    if not rejecting:
        return None
    both_bad = None
    for signal in rejecting:
        if signal.rule in LIVE_RULES:
            return words.worse_than_live(signal, limits, threshold=threshold)
        if signal.rule is Rule.BUSINESS:
            return words.fewer_succeed(signal, limits, threshold=threshold)
    for signal in rejecting:
        limit = limit_of(signal.rule, limits)
        if share(signal.live_bad, signal.live_requests) <= limit or len(signals) == len(OWN_RULES):
            return words.above_limit(signal, limits, limit=limit, threshold=threshold)
        both_bad = words.both_bad(signal, limits, limit=limit, threshold=threshold)
    return both_bad


def _progress(analysis: Analysis, at: float) -> Verdict:
    """Return how far the step is, when nothing speaks against the candidate."""
    held = at - analysis.step_at
    streaks = analysis.unhealthy, analysis.memory_high, analysis.cpu_high
    counted = max([streak.looks for streak in streaks])
    if not counted and _replaces_broken_live(analysis):
        return words.live_broken(
            analysis.step,
            analysis.live_errors,
            analysis.limits,
            held=held,
            needed=analysis.needed_requests,
            threshold=analysis.threshold,
        )
    if held < analysis.hold_seconds or counted:
        return words.holding(
            analysis.step,
            held=held,
            hold_seconds=analysis.hold_seconds,
            needed=analysis.needed_requests,
            counted=counted,
        )
    if analysis.step.requests >= analysis.needed_requests:
        return words.hold_over(
            analysis.step, analysis.limits, held=held, needed=analysis.needed_requests
        )
    waited = held - analysis.hold_seconds
    return words.too_few(
        analysis.step,
        analysis.limits,
        held=held,
        needed=analysis.needed_requests,
        patience_over=waited >= analysis.patience_seconds,
    )


def _replaces_broken_live(analysis: Analysis) -> bool:
    step = analysis.step
    return (
        analysis.beside_live
        and analysis.live_errors.value > analysis.threshold
        and step.requests >= analysis.needed_requests
        and share(step.failed, step.requests) <= analysis.limits.error_share
    )
