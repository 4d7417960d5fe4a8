"""Releases that fail in a cluster: each is rolled back, whatever became of its pods."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest
from campaign.harm import AFTERWARDS, Points, points_of, take_back_unless_it_is
from campaign.passages import Passage, promote, take_back, under_load
from e2e.shop import NEW, OLD, PRODUCT
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Answer, Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.engine import Event, Phase, Rollout
from deployer.releases import Version

pytestmark = pytest.mark.cluster

TIMES = 10
BAD = Version(1, 1, 9)
FAILING = (
    ("PLATFORM_FAULT_ERROR_SHARE", "0.2"),
    ("PLATFORM_FAULT_PATH", "/api/v1/products"),
)
CRASHING = (("PLATFORM_THREADS", "none"),)
BACK_SECONDS = 3.0
SLOWER = 5  # than promised, on a machine that others use too


@dataclass(slots=True)
class Ear:
    """Hears when the verdict came."""

    decided_at: float | None = None

    def hear(self, state: Rollout, event: Event | None) -> None:
        """Note the first moment of the way back."""
        if state.phase is Phase.GUARDING and event is not None and self.decided_at is None:
            self.decided_at = event.at


def served_after(answers: tuple[Answer, ...], version: Version, at: float) -> float:
    """Return how long after a moment the last request of a version was sent."""
    times = [each.at - each.seconds for each in answers if each.version == str(version)]
    return max(0.0, max(times) - at)


def test_a_release_with_errors_is_rolled_back_and_soon_serves_no_more(
    short: Context, busy: Traffic, full: bool, record: Callable[..., None]
):
    """One in five answers is an error; no request is lost beside those that it was told to fail."""
    after = []
    for _ in range(TIMES if full else 1):
        seen, ear = len(busy.answers), Ear()
        (state,) = rollout(
            short, [Wanted(PRODUCT, BAD, FAILING, same_code_as_tree=True)], listen=ear.hear
        )
        assert state is not None
        answers = busy.since(seen)

        assert state.phase is Phase.ROLLED_BACK, state.cause
        assert ear.decided_at is not None
        assert [each for each in answers if not each.ok and not each.injected] == []
        assert any(each.injected for each in answers)
        after.append(served_after(answers, BAD, ear.decided_at))
    record("cluster-bad-release", seconds=after, worst_seconds=max(after))

    assert max(after) <= BACK_SECONDS * (1 if full else SLOWER)


def test_a_release_that_crashes_never_gets_traffic(short: Context, busy: Traffic):
    """Its pods end again and again; the error says so, with their last words."""
    seen = len(busy.answers)
    wanted = Wanted(PRODUCT, Version(1, 1, 8), CRASHING, same_code_as_tree=True)
    (state,) = rollout(short, [wanted])

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert "crash-loop" in str(state.cause)
    assert {each.version for each in busy.since(seen)} == {str(OLD)}
    assert all(each.ok for each in busy.since(seen))


def test_a_release_that_needs_too_much_memory_never_gets_traffic(short: Context, busy: Traffic):
    """It is killed for it, and the error says so. The chart is a part of the release."""
    seen = len(busy.answers)
    with little_memory(short):
        (state,) = rollout(short, [Wanted(PRODUCT)])

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert str(state.cause).startswith("out-of-memory: ")
    assert all(each.ok for each in busy.since(seen))


def test_the_traffic_is_back_soon_when_the_pods_are_deleted(
    short: Context, busy: Traffic, cluster: Cluster, full: bool, record: Callable[..., None]
):
    """At every point of the rollout, the one after promotion included."""
    points = points_of(short)
    chosen = points if full else points[-2:]
    back = {at: deleted(short, busy, cluster, at=at).back_after(str(OLD)) for at in chosen}
    record("cluster-harm-deleted", back_seconds=back, worst_seconds=max(back.values()))

    assert max(back.values()) <= BACK_SECONDS * (1 if full else SLOWER), back


@contextmanager
def little_memory(context: Context) -> Iterator[None]:
    """Give product's pods less than they need, in the clone's chart, for a while."""
    path = context.workspace.root / "charts" / PRODUCT / "values-dev.yaml"
    before = path.read_text()
    assert before.count("memory:") == 2
    path.write_text(re.sub(r"memory: \d+Mi", "memory: 24Mi", before))
    try:
        yield
    finally:
        path.write_text(before)


def deleted(context: Context, traffic: Traffic, cluster: Cluster, *, at: str) -> Passage:
    """Delete all pods of the candidate at a point, without grace, and go back."""

    def hurt(slot: str) -> None:
        cluster.kubectl(
            "delete", "pods", "-n", "product-dev", "-l", f"deployer/slot={slot}",
            "--grace-period=0", "--force",
        )  # fmt: skip

    def act(state: Rollout) -> None:
        hurt(state.order.candidate_slot)
        hurting.set()

    if at == AFTERWARDS:
        promote(context)
        hurt(str(context.target.situation(PRODUCT).live))
        return under_load(traffic, lambda: take_back(context))
    hurting = threading.Event()
    points = Points(at, act)
    moving = threading.Thread(
        target=lambda: rollout(context, [Wanted(PRODUCT, NEW)], listen=points.hear)
    )
    moving.start()
    assert hurting.wait(120), f"never at {at}"
    passage = under_load(traffic, lambda: take_back_unless_it_is(context))
    moving.join()
    return passage
