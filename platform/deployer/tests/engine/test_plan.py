"""Plans: what a strategy schedules, and what it refuses."""

from __future__ import annotations

import pytest

from deployer.engine import Check, PlanError, Step, canary, switch


def test_a_canary_fills_the_slot_before_it_raises_the_weight():
    """Its first step has no weight and a smoke check; the others hold and analyse."""
    plan = canary(instances=3, weights=(10, 100), hold_seconds=900.0)

    assert plan == (
        Step(3, 3, 0, check=Check.SMOKE),
        Step(3, 3, 10, 900.0, Check.ANALYSIS),
        Step(3, 3, 100, 900.0, Check.ANALYSIS),
    )


def test_a_switch_gives_all_traffic_in_one_step():
    """A first deployment and an immediate rollback: ready, smoke, everything."""
    assert switch(instances=1) == (Step(1, 1, 0, check=Check.SMOKE), Step(1, 1, 100))


@pytest.mark.parametrize("weights", [(), (10, 5, 100), (0, 100), (10, 50), (10, 10, 100)])
def test_weights_that_do_not_rise_to_a_hundred_are_refused(weights: tuple[int, ...]):
    """A plan that would never promote, or would step back, is no plan."""
    with pytest.raises(PlanError, match="must rise"):
        canary(instances=1, weights=weights, hold_seconds=1.0)


def test_a_slot_without_instances_is_refused():
    """Traffic to nothing is no plan either."""
    with pytest.raises(PlanError, match="at least one instance"):
        switch(instances=0)
