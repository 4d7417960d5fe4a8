"""Replays: a ledger fed back decides the same, or says where it does not."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from driver.scripted import World, rollout_order
from engine.orders import HOOKS, PRODUCT, order

from deployer.analysis import Counts, Limits, Look
from deployer.commands.replay import replay
from deployer.engine import Kind, Rollout, blue_green, rolling
from deployer.errors import InputError

COUNTS = {"instances": 2, "live_instances": 2}


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


@pytest.fixture
def context(world: World) -> SimpleNamespace:
    """As much of a context as a replay needs: its ledger."""
    return SimpleNamespace(ledger=world.ledger)


@pytest.mark.parametrize(
    "wanted",
    [
        rollout_order(hooks=HOOKS),
        rollout_order(plan=blue_green(**COUNTS)),
        rollout_order(plan=rolling(**COUNTS, hold_seconds=2.0)),
        order(kind=Kind.ROLLBACK, plan=blue_green(**COUNTS), standby_seconds=0.0),
    ],
)
@pytest.mark.parametrize("failed", [0, 60])
def test_a_replay_of_the_ledger_decides_the_same(
    world: World, context: SimpleNamespace, wanted: object, failed: int
):
    """Every event of every strategy, whether it was promoted or rolled back."""
    world.observer.failed = failed
    state = world.run(wanted)  # type: ignore[arg-type]
    (found,) = replay(context, PRODUCT)  # type: ignore[arg-type]

    assert found.divergence is None
    assert found.outcome == state.phase
    assert found.events == len(world.kinds()) >= 7


def test_a_replay_says_where_it_differs(world: World, context: SimpleNamespace):
    """A headline that the engine would not write today: the first such event is shown."""
    world.run()
    with world.ledger._write() as db:  # type: ignore[attr-defined]
        db.execute("UPDATE event SET headline = 'watching 9/9 99% -' WHERE number >= 3")
    (found,) = replay(context, PRODUCT)  # type: ignore[arg-type]

    assert found.divergence is not None
    assert found.divergence.recorded == "watching 9/9 99% -"
    assert found.divergence.replayed == "starting 2/3 0% -"


def both_at_four_percent(rollout: Rollout, *, at: float) -> Look:
    return Look(at=at, candidate=Counts(100, 4), live=Counts(100, 4))


def test_a_replay_under_other_limits_is_a_backtest(
    world: World, context: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
):
    """What 5 % let pass, 1 % would not have: it ends where the ways part, and says why."""
    monkeypatch.setattr(world.observer, "look", both_at_four_percent)
    world.run()
    (same,) = replay(context, PRODUCT, limits=Limits())  # type: ignore[arg-type]
    (found,) = replay(context, PRODUCT, limits=Limits(error_share=0.01))  # type: ignore[arg-type]

    assert same.divergence is None
    assert found.divergence is not None
    assert found.divergence.recorded.startswith("promoted 3/3 100%")
    assert found.divergence.replayed.startswith("monitoring 3/3 100%")
    assert "both slots are bad alike" in found.divergence.reason


def test_there_is_nothing_to_replay_of_a_service_that_was_never_here(context: SimpleNamespace):
    """The error names what brings it up."""
    with pytest.raises(InputError) as refused:
        replay(context, PRODUCT)  # type: ignore[arg-type]

    assert refused.value.code == "not-installed"
