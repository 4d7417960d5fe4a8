"""Releases that fail in a cluster: each is rolled back, whatever became of its pods."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Queue

import pytest
from campaign.harm import AFTERWARDS, Points, points_of, take_back_unless_it_is
from campaign.passages import Passage, promote, under_load, wait_for
from e2e.shop import NEW, OLD, PRODUCT
from harms import HARMS, fresh, repeated, restarts
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Answer, Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.engine import Event, Phase, Rollout
from deployer.releases import Version

pytestmark = pytest.mark.cluster

TIMES = 10
BAD = Version(1, 3, 9)
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
    wanted = Wanted(PRODUCT, Version(1, 3, 8), CRASHING, same_code_as_tree=True)
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


@pytest.mark.parametrize("harm", HARMS)
def test_the_traffic_is_back_soon_when_pods_go(
    short: Context,
    busy: Traffic,
    cluster: Cluster,
    harm: str,
    full: bool,
    record: Callable[..., None],
):
    """At every point of the rollout, the one after promotion included."""
    chosen = points_of(short) if full else ("watching 50",)
    passages = {at: harmed(short, busy, cluster, at=at, harm=HARMS[harm]) for at in chosen}
    back = {at: passage.back_after(str(OLD)) for at, passage in passages.items()}
    record(f"cluster-harm-{harm}", back_seconds=back, worst_seconds=max(back.values()))

    assert max(back.values()) <= BACK_SECONDS * (1 if full else SLOWER), back


@pytest.mark.parametrize(
    ("harm", "reason"), [("crash-looping", "Completed"), ("out-of-memory", "OOMKilled")]
)
def test_a_harm_is_what_it_says(stack: Context, cluster: Cluster, harm: str, reason: str):
    """The kubelet calls it by the same name, and starts the container again."""
    fresh(stack, cluster)
    slot = str(stack.target.situation(PRODUCT).live)
    HARMS[harm](cluster, slot)
    wait_for(lambda: set(restarts(cluster, slot)) == {reason}, seconds=60)
    wait_for(lambda: stack.target.situation(PRODUCT).serving.ready, seconds=60)
    fresh(stack, cluster)

    assert stack.live(PRODUCT).version == str(OLD)


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


def harmed(
    context: Context,
    traffic: Traffic,
    cluster: Cluster,
    *,
    at: str,
    harm: Callable[[Cluster, str], None],
) -> Passage:
    """Harm all pods of the candidate from a point on, and go back."""

    def back_under(slot: str) -> Passage:
        with repeated(harm, cluster, slot):
            return under_load(traffic, lambda: take_back_unless_it_is(context))

    if at == AFTERWARDS:
        promote(context)
        return back_under(str(context.target.situation(PRODUCT).live))
    slots: Queue[str] = Queue()

    def act(state: Rollout) -> None:
        harm(cluster, state.order.candidate_slot)
        slots.put(state.order.candidate_slot)

    moving = threading.Thread(
        target=lambda: rollout(context, [Wanted(PRODUCT, NEW)], listen=Points(at, act).hear)
    )
    moving.start()
    passage = back_under(slots.get(timeout=120))
    moving.join()
    return passage
