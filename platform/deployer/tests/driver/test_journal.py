"""The journal: what goes into a ledger comes out the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import pytest
from driver.scripted import World
from hypothesis import given, settings
from hypothesis import strategies as st

from deployer.analysis import Counts, Limits, Look
from deployer.driver import decode, decode_order, encode, encode_order, read_rollout
from deployer.driver.journal import KINDS
from deployer.engine import (
    AbortRequested,
    ContinueRequested,
    Done,
    Event,
    Failed,
    Hook,
    HurryRequested,
    Kind,
    Looked,
    Order,
    PauseRequested,
    Phase,
    Point,
    PromoteRequested,
    Resumed,
    blue_green,
    canary,
)
from deployer.ledger import Entry
from deployer.model import Release, ServiceName, Slot

TIMES = st.floats(0.0, 1e10, allow_nan=False)
SHARES = st.none() | st.floats(0.0, 1.0)
COUNTS = st.builds(Counts, *[st.integers(0, 10_000)] * 4)
LOOKS = st.builds(
    Look,
    at=TIMES,
    candidate=COUNTS,
    live=COUNTS,
    candidate_healthy=st.none() | st.booleans(),
    memory_share=SHARES,
    cpu_share=SHARES,
    reachable=st.booleans(),
    instances_since=st.none() | TIMES,
)
PHASES = st.sampled_from(list(Phase))
LINES = st.lists(st.text(max_size=20), max_size=3).map(tuple)
EVENTS: st.SearchStrategy[Event] = st.one_of(
    st.builds(Done, TIMES, PHASES, LINES),
    st.builds(Failed, TIMES, PHASES, st.text(max_size=50), LINES),
    st.builds(Looked, TIMES, LOOKS),
    st.builds(AbortRequested, TIMES, st.text(max_size=20), st.text(max_size=20), st.booleans()),
    st.builds(PauseRequested, TIMES, st.text(max_size=20)),
    st.builds(ContinueRequested, TIMES, st.text(max_size=20)),
    st.builds(HurryRequested, TIMES, st.text(max_size=20)),
    st.builds(PromoteRequested, TIMES, st.text(max_size=20)),
    st.builds(Resumed, TIMES, st.text(max_size=20)),
)
RELEASES = st.builds(
    Release,
    service=st.just(ServiceName("product")),
    version=st.sampled_from(["1.0.0", "1.1.0-dev.2"]),
    digest=st.text("0123456789abcdef", min_size=64, max_size=64),
    configuration=st.lists(st.tuples(st.text("AB_"), st.text()), max_size=3).map(tuple),
    commit=st.none() | st.just("c" * 40),
)
ORDERS = st.builds(
    Order,
    service=st.just(ServiceName("product")),
    kind=st.sampled_from(list(Kind)),
    candidate=RELEASES,
    candidate_slot=st.sampled_from(list(Slot)),
    live=st.none() | RELEASES,
    live_instances=st.integers(1, 9),
    plan=st.sampled_from(
        [
            blue_green(instances=2, live_instances=1),
            canary(instances=1, live_instances=1, weights=(10, 100), hold_seconds=0.5),
        ]
    ),
    limits=st.builds(Limits, error_share=st.floats(0.01, 0.5)),
    planned_requests=TIMES,
    patience_seconds=TIMES,
    standby_seconds=TIMES,
    started_at=TIMES,
    monitor_seconds=TIMES,
    hooks=st.lists(
        st.builds(Hook, st.sampled_from(list(Point)), LINES, st.just(""), TIMES), max_size=2
    ).map(tuple),
    business=LINES,
    ease_weights=st.just((50, 10)),
)


@given(EVENTS)
@settings(deadline=None)
def test_an_event_comes_back_as_it_was(event: Event):
    """With the kind it is listed under, and its time in a column of its own."""
    entry = encode(event, "watching 1/2 10% -")

    assert entry.headline == "watching 1/2 10% -"
    assert decode(entry) == event
    assert entry.at == event.at
    assert KINDS[entry.kind] is type(event)


@given(ORDERS)
@settings(deadline=None)
def test_an_order_comes_back_as_it_was(wanted: Order):
    """Every field of it: the plan, the limits, the frozen configuration."""
    assert decode_order(encode_order(wanted)) == wanted


def test_every_event_of_the_engine_has_a_kind():
    """And no two share one."""
    assert set(KINDS.values()) == set(get_args(Event))
    assert len(set(KINDS)) == len(get_args(Event))


def test_bodies_are_json_that_people_can_read():
    """Names of fields, not positions: an older deployer's ledger stays readable."""
    entry = encode(AbortRequested(5.0, "ann", "wrong button"), "")

    assert entry.kind == "abort-requested"
    assert json.loads(entry.body) == {
        "at": 5.0,
        "by": "ann",
        "why": "wrong button",
        "gradual": False,
    }


def test_an_entry_of_an_unknown_kind_is_refused():
    """A ledger written by a newer deployer is not half understood."""
    with pytest.raises(KeyError):
        decode(Entry(1.0, "teleported", "{}", ""))


def test_a_rollout_is_read_from_its_ledger(tmp_path: Path):
    """The state after the last event, as the driver left it."""
    world = World(tmp_path)
    state = world.run()
    (header,) = world.ledger.history(ServiceName("product"))

    assert read_rollout(world.ledger, header) == state
