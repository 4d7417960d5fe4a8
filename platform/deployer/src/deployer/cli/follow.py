"""Follows rollouts on the terminal, and turns their end into an exit code."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import click

from deployer.cli.options import print_json, say
from deployer.driver import Listener
from deployer.engine import WATCHED, Event, Failed, Looked, Phase, Rollout

if TYPE_CHECKING:
    from rich.table import Table


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended, for a machine."""

    service: str
    candidate: str
    live: str | None
    outcome: str
    cause: str | None


@contextmanager
def follower(rollouts: int = 1) -> Iterator[Listener]:
    """Give a listener that shows rollouts: one, or where there is no terminal, as lines.

    Several on a terminal are one live table, a row each.
    """
    if rollouts > 1 and sys.stderr.isatty():
        with _table_of_rollouts() as listen:
            yield listen
    else:
        yield _lines()


def _lines() -> Listener:
    """Return a listener that prints each change, and each new reason of a verdict."""
    last: dict[str, tuple[object, ...]] = {}

    def listen(state: Rollout, event: Event | None) -> None:
        service = state.order.service
        verdict = state.verdict
        shown = (state.phase, state.step_index, verdict.rule if verdict else None)
        if shown == last.get(service):
            return
        last[service] = shown
        text = f"{service:8} {state.weight:3} %  {state.phase}"
        if isinstance(event, Looked) and verdict is not None:
            text += f": {verdict.reason}"
        if isinstance(event, Failed):
            text += "".join(f"\n  | {line}" for line in (event.cause, *event.details))
        say(text)

    return listen


@contextmanager
def _table_of_rollouts() -> Iterator[Listener]:
    from rich.console import Console  # noqa: PLC0415  # 80 ms that a single rollout need not pay
    from rich.live import Live  # noqa: PLC0415

    states: dict[str, Rollout] = {}
    with Live(console=Console(stderr=True), auto_refresh=False) as live:

        def listen(state: Rollout, _event: Event | None) -> None:
            states[state.order.service] = state
            live.update(rollouts_table(states.copy()), refresh=True)

        yield listen


def rollouts_table(states: Mapping[str, Rollout]) -> Table:
    """Draw rollouts that go on side by side, a row a service."""
    from rich.table import Table  # noqa: PLC0415  # as above

    table = Table("service", "live", "candidate", "weight", "phase", "verdict")
    for service, state in sorted(states.items()):
        order = state.order
        reason = state.cause or (state.verdict.reason if state.verdict else "-")
        place = f"{state.phase} ({state.step_index + 1}/{len(order.plan)})"
        live = order.live.version if order.live else "-"
        table.add_row(service, live, order.candidate.version, f"{state.weight} %", place, reason)
    return table


def exit_for(states: Sequence[Rollout | None], *, as_json: bool, wanted_back: bool = False) -> None:
    """Print how rollouts ended; exit 1 unless all ended as they should.

    That is promoted; with `wanted_back` a rollout that was under way should be rolled back instead.
    """
    ended = [state for state in states if state is not None]
    if as_json:
        print_json(tuple(_ending(state) for state in ended))
    bad = []
    for state in ended:
        turned = wanted_back and state.order.kind in WATCHED
        good = state.phase is (Phase.ROLLED_BACK if turned else Phase.PROMOTED)
        if not good:
            bad.append(state.order.service)
        cause = f": {state.cause}" if state.cause else ""
        text = f"{state.order.subject} {state.phase}{cause}"
        click.secho(text, fg="green" if good else "red", err=True)
    if bad:
        say("")
        for service in bad:
            say(f"hint: deployer why {service}")
        raise SystemExit(1)


def _ending(state: Rollout) -> Ending:
    order = state.order
    live = order.live.version if order.live else None
    return Ending(order.service, order.candidate.version, live, state.phase, state.cause)
