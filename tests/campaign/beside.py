"""Rollouts of all services at once, against each alone."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from campaign.policy import policy

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer, stories
from deployer.commands.demo.traffic import Traffic
from deployer.commands.release import Wanted, build_release
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.model import ServiceName
from deployer.releases import Version

RATIO = 1.3  # at most, together against the slowest alone
HOLDS = {"hold_seconds": 10, "monitor_seconds": 10, "standby_seconds": 0}
PER_SECOND = 50.0  # a service: together what two cores answer beside eight instances


def figures_of(
    context: Context, customer: Customer, *, per_second: float = PER_SECOND
) -> dict[str, Any]:
    """Roll one more version of every service out, each alone and all at once; return how long that took.

    Everything is built before; each of the policy's weights is held for ten seconds or more. No
    standby is left behind: the later rollouts would have to empty the slot first.
    """
    with (
        policy(context, **HOLDS) as held,
        restored(held),
        everybody_asking(held, customer, per_second=per_second),
    ):
        alone = {each.service: seconds_of(held, [each]) for each in next_releases(held)}
        together = seconds_of(held, next_releases(held))
    return {
        "alone_seconds": {service: round(seconds, 1) for service, seconds in alone.items()},
        "together_seconds": round(together, 1),
        "ratio": round(together / max(alone.values()), 3),
    }


def next_releases(context: Context) -> tuple[Wanted, ...]:
    """Return one more version of every service, from the tree's code, built already."""
    wanted = tuple(_next(context, service) for service in context.workspace.services)
    for each in wanted:
        build_release(context, each)
    return wanted


def seconds_of(context: Context, wanted: Sequence[Wanted]) -> float:
    """Roll these out at once and return how long that took."""
    began = time.monotonic()
    for state in rollout(context, wanted):
        assert state is not None
        assert state.phase == "promoted", state.cause
    return time.monotonic() - began


@contextmanager
def restored(context: Context) -> Iterator[None]:
    """Bring every service back to the version that it was at."""
    before = {service: context.live(service) for service in context.workspace.services}
    try:
        yield
    finally:
        for service, release in before.items():
            if release is not None and context.live(service) != release:
                rollback(context, service, to=Version.parse(release.version))


@contextmanager
def everybody_asking(
    context: Context, customer: Customer, *, per_second: float = PER_SECOND
) -> Iterator[tuple[Traffic, ...]]:
    """Send each service the traffic of its own story."""
    streams = tuple(
        Traffic(customer, story.traffic, per_second=per_second)
        for story in stories(context.workspace)
    )
    for stream in streams:
        stream.start()
    try:
        yield streams
    finally:
        for stream in streams:
            stream.stop()


def _next(context: Context, service: ServiceName) -> Wanted:
    live = context.target.situation(service).serving
    assert live is not None
    declared = context.workspace.declaration(service).version
    base = max(Version.parse(live.release.version), declared)
    version = Version(base.major, base.minor, base.patch + 1)
    return Wanted(service, version, same_code_as_tree=True)
