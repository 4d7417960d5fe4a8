"""The incident file: what happened when a release was rolled back without anybody asking for it.

Markdown under the environment's state folder, written before the rollout is closed in the ledger,
so that it is there whenever the rollout is over; written again, the same, by whoever resumes.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from deployer.commands.context import Context
from deployer.commands.why import Account, Split, Turn, account_of, split_of, turns_of
from deployer.engine import Done, Order, Phase
from deployer.ledger import Header
from deployer.targets import FailedRequest

REQUESTS = 10  # failing requests that are shown: enough to see a pattern, few enough to read
BEFORE_SECONDS = 1.0  # a look's requests came before the look


def write_incident(context: Context, header: Header) -> Path | None:
    """Write the file of a rollout that turned back by itself; None when it was asked to, or didn't."""
    turns = tuple(turns_of(context, header))
    turned = [turn for turn in turns if turn.turned_back]
    if not turned:
        return None
    folder = context.state / "incidents"
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{header.service}-{header.id}.md"
    lines = _page(context, header, turns, turned[0])
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def _page(context: Context, header: Header, turns: tuple[Turn, ...], turned: Turn) -> Iterator[str]:
    account, order = account_of(context, header), turned.before.order
    live = order.live.name if order.live else "nothing"
    went = "was switched off" if order.flag else f"was rolled back to {live}"
    when = datetime.fromtimestamp(header.started_at, tz=UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    yield f"# {order.subject} {went}"
    yield ""
    yield f"Rollout {header.id} in {context.environment.name}, by {order.strategy}, begun {when}."
    yield ""
    yield f"**Cause:** {turned.after.cause}"
    yield from _split(split_of(turns))
    yield from _timeline(account)
    yield from _counts(turned)
    yield from _requests(context, order, split_of(turns))
    yield from _differences(context, order, turns)


def _split(split: Split | None) -> Iterator[str]:
    if split is None:
        return
    yield from ("", "## Where the time went", "", "| from | to | seconds |", "|---|---|---|")
    marks = (
        ("the fault", split.fault_at),
        ("detected", split.detected_at),
        ("old slot ready, weights written", split.acted_at),
        ("all traffic back", split.converged_at),
    )
    known = [(name, at) for name, at in marks if at is not None]
    for (name, at), (following, then) in itertools.pairwise(known):
        yield f"| {name} | {following} | {then - at:.2f} |"


def _timeline(account: Account) -> Iterator[str]:
    yield from ("", "## Timeline", "", "| second | what | weight | why |", "|---|---|---|---|")
    for each in account.decisions:
        reason = each.reason.splitlines()[0] if each.reason else ""
        way = f"{each.before} to {each.after}"
        yield f"| {each.at:.1f} | {way} | {each.weight} % | {_cell(f'{each.rule} {reason}')} |"


def _counts(turned: Turn) -> Iterator[str]:
    verdict = turned.after.verdict
    if verdict is None or turned.after.cause != verdict.reason:
        return
    yield from ("", "## Counts", "", "| figure | value |", "|---|---|")
    for name, value in verdict.numbers:
        yield f"| {name} | {value:,.6g} |"


def _requests(context: Context, order: Order, split: Split | None) -> Iterator[str]:
    began = order.started_at
    at = split.fault_at if split and split.fault_at is not None else 0.0
    failed = context.target.failing_requests(
        order.candidate_slot,
        order.candidate,
        since=began + at - BEFORE_SECONDS,
        limit=REQUESTS,
    )
    yield from ("", "## Failing requests", "")
    if not failed:
        yield "The candidate's log names none."
    for request in failed:
        yield from _request(request, began)


def _request(request: FailedRequest, began: float) -> Iterator[str]:
    yield f"`{request.request_id}`, second {request.at - began:.1f}: {request.method}"
    yield f"{request.route} answered {request.status}"
    yield ""
    yield from ("```", *request.lines, "```", "")


def _differences(context: Context, order: Order, turns: tuple[Turn, ...]) -> Iterator[str]:
    yield from ("", "## What differed", "")
    if order.flag:
        yield f"Only the flag: variant `{order.variant}` of `{order.flag}`. {order.candidate.name} went on serving."
        return
    if order.live is None:
        yield "There was no release before."
        return
    workspace, live, candidate = context.workspace, order.live, order.candidate
    yield from ("**Commits**", "")
    yield from workspace.log_between(order.service, live.commit, candidate.commit)
    yield from ("", "**Configuration**", "")
    yield from _configuration(dict(live.configuration), dict(candidate.configuration))
    yield from ("", "**Schema**", "")
    yield from _schema(turns)


def _configuration(live: dict[str, str], candidate: dict[str, str]) -> Iterator[str]:
    names = sorted(name for name in {*live, *candidate} if live.get(name) != candidate.get(name))
    for name in names:
        before, after = live.get(name, "not set"), candidate.get(name, "not set")
        yield f"- `{name}`: {before} before, {after} after"
    if not names:
        yield "The same."


def _schema(turns: tuple[Turn, ...]) -> Iterator[str]:
    applied = [
        revision
        for turn in turns
        if isinstance(turn.event, Done) and turn.before.phase is Phase.MIGRATING
        for revision in turn.event.details
    ]
    if not applied:
        yield "The same."
    for revision in applied:
        yield f"- revision {revision} was applied (expand), and stays: the old code runs on it"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").strip()
