"""A gradual rollback under prod's policy, on the virtual clock."""

from __future__ import annotations

from pathlib import Path

from engine.orders import order

from deployer.commands.policy import way_back_of
from deployer.engine import Kind
from deployer.environment import load_environment
from deployer.simulation import Scenario, ServiceModel
from deployer.simulation.run import play

PROD = load_environment(Path(__file__).parents[4] / "environments", "prod").rollout
MINUTES = 60.0


def test_a_gradual_rollback_in_prod_takes_less_than_five_minutes():
    """Three weights, a minute each, and the traffic falls at each; then the bad slot is empty."""
    plan = way_back_of(PROD, live_instances=PROD.instances, gradually=True)
    undo = order(kind=Kind.ROLLBACK, plan=plan, standby_seconds=0.0)
    played = play(Scenario(undo, ServiceModel(20.0)), 1)

    assert played.outcome.end == "promoted"
    assert 3 * MINUTES <= played.outcome.seconds <= 5 * MINUTES
    assert played.target.weight(undo.service, undo.candidate_slot) == 100


def test_an_immediate_one_takes_seconds():
    """The control: the same rollback without the holds."""
    plan = way_back_of(PROD, live_instances=PROD.instances, gradually=False)
    undo = order(kind=Kind.ROLLBACK, plan=plan, standby_seconds=0.0)

    assert play(Scenario(undo, ServiceModel(20.0)), 1).outcome.seconds < MINUTES / 2
