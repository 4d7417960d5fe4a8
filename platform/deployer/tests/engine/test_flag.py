"""A flag goes out by the same machine as a release, without anything being started or retired on the way."""

from __future__ import annotations

from dataclasses import replace

import pytest
from engine.orders import OLD, failing, order, walk
from hypothesis import given
from hypothesis import strategies as st

from deployer.engine import (
    Check,
    Kind,
    Order,
    Phase,
    PlanError,
    Promote,
    Shift,
    TakeLook,
    advance,
    begin_rollout,
    exposure,
    pending,
    setting,
)

STEPS = exposure(shares=(10, 50, 100), hold_seconds=10.0)


def flag_order(plan=STEPS, *, monitor_seconds: float = 0.0) -> Order:
    made = order(kind=Kind.FLAG, plan=plan, live=OLD, monitor_seconds=monitor_seconds)
    return replace(made, candidate=OLD, live_instances=1, flag="listing", variant="on")


def test_shares_rise_with_looks_in_between_and_nothing_else_moves():
    """What the steps of a release start, a flag's have nothing of."""
    state, actions = walk(begin_rollout(flag_order()), until=Phase.PROMOTED)
    moves = [each for each in actions if isinstance(each, Shift)]

    assert [each.weight for each in moves] == [10, 50, 100]
    assert sum(isinstance(each, TakeLook) for each in actions) >= 2
    assert state.order.subject == "flag listing of product"


def test_the_last_share_is_watched_after_it_is_given():
    """As a release is after its promotion."""
    state, _ = walk(begin_rollout(flag_order(monitor_seconds=10.0)), until=Phase.MONITORING)

    assert (state.weight, pending(state)) == (100, (TakeLook(),))


def test_a_variant_that_fails_is_given_to_nobody():
    """The first move on the way back."""
    state, _ = walk(begin_rollout(flag_order()), until=Phase.WATCHING)
    state, _ = advance(state, failing(at=1.0))
    state, actions = walk(state, until=Phase.ROLLED_BACK)

    assert [each.weight for each in actions if isinstance(each, Shift)] == [0]


@pytest.mark.parametrize("share", [0, 25, 100])
def test_a_flag_that_is_set_is_moved_once(share):
    """Also to nobody, which is where a rollout thinks that it begins."""
    _, actions = walk(begin_rollout(flag_order(setting(share))), until=Phase.PROMOTED)

    assert [type(each) for each in actions] == [Shift, Promote]
    assert actions[0].weight == share


@given(shares=st.lists(st.integers(1, 100), min_size=1, max_size=5, unique=True).map(sorted))
def test_all_but_the_last_share_are_analysed(shares):
    """Whatever rises."""
    plan = exposure(shares=tuple(shares), hold_seconds=10.0)

    assert [step.weight for step in plan] == shares
    assert [step.check for step in plan] == [*[Check.ANALYSIS] * (len(shares) - 1), Check.NONE]


@pytest.mark.parametrize("shares", [(), (0, 10), (50, 10), (10, 10), (10, 101)])
def test_shares_that_do_not_rise_are_refused(shares):
    """Nobody is given less in a rollout."""
    with pytest.raises(PlanError, match="must rise"):
        exposure(shares=shares, hold_seconds=10.0)


@pytest.mark.parametrize("share", [-1, 101])
def test_a_share_that_is_none_is_refused(share):
    """It is a percentage."""
    with pytest.raises(PlanError, match="0 to 100"):
        setting(share)
