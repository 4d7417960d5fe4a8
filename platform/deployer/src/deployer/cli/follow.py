"""Follows rollouts on the terminal, and turns their end into an exit code."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import click

from deployer.cli.options import print_json, say
from deployer.driver import Listener
from deployer.engine import Event, Failed, Kind, Looked, Phase, Rollout


@dataclass(frozen=True, slots=True)
class Ending:
    """How a rollout ended, for a machine."""

    service: str
    candidate: str
    live: str | None
    outcome: str
    cause: str | None


@contextmanager
def follower() -> Iterator[Listener]:
    """Give a listener that prints each change, and each new reason of a verdict."""
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

    yield listen


def exit_for(states: Sequence[Rollout | None], *, as_json: bool, wanted_back: bool = False) -> None:
    """Print how rollouts ended; exit 1 unless all ended as they should.

    That is promoted; with `wanted_back` a rollout that was under way should be rolled back instead.
    """
    ended = [state for state in states if state is not None]
    if as_json:
        print_json(tuple(_ending(state) for state in ended))
    bad = []
    for state in ended:
        turned = wanted_back and state.order.kind is Kind.ROLLOUT
        good = state.phase is (Phase.ROLLED_BACK if turned else Phase.PROMOTED)
        if not good:
            bad.append(state.order.service)
        cause = f": {state.cause}" if state.cause else ""
        text = f"{state.order.candidate.name} {state.phase}{cause}"
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
