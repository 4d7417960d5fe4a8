"""Plans: what a strategy schedules, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deployer.engine import Check, Plan, PlanError, Step, blue_green, canary, gradual, rolling

COUNTS = {"instances": 2, "live_instances": 2}


def test_a_canary_fills_the_slot_before_it_raises_the_weight():
    """Its first step has no weight; the others hold and analyse; the last is for promotion."""
    plan = canary(instances=3, live_instances=2, weights=(10, 50, 100), hold_seconds=900.0)

    assert plan == (
        Step(3, 2, 0),
        Step(3, 2, 10, 900.0, Check.ANALYSIS),
        Step(3, 2, 50, 900.0, Check.ANALYSIS),
        Step(3, 2, 100),
    )


def test_a_step_holds_nothing_and_asks_nothing_unless_told():
    """The first and the last of a plan are such steps."""
    step = Step(2, 2, 0)

    assert (step.hold_seconds, step.check, step.gate) == (0.0, Check.NONE, False)


def test_a_gate_stands_at_its_weight():
    """A person lets the rollout past 50 %, and nothing else asks for one."""
    plan = canary(**COUNTS, weights=(10, 50, 100), hold_seconds=1.0, gates=(50,))

    assert [step.weight for step in plan if step.gate] == [50]


def test_blue_green_gives_all_traffic_in_one_step():
    """A first deployment and an immediate rollback too: ready, smoke, everything."""
    assert blue_green(instances=1, live_instances=3) == (Step(1, 3, 0), Step(1, 3, 100))


def test_rolling_moves_one_instance_at_a_time_and_the_weight_follows():
    """Each step starts one, gives it its share, and leaves live one less."""
    plan = rolling(instances=3, live_instances=3, hold_seconds=5.0)

    assert plan == (
        Step(1, 2, 33, 5.0, Check.ANALYSIS),
        Step(2, 1, 67, 5.0, Check.ANALYSIS),
        Step(3, 0, 100),
    )


def test_rolling_a_single_instance_is_one_step():
    """There is nothing between none and all."""
    assert rolling(instances=1, live_instances=1, hold_seconds=5.0) == (Step(1, 0, 100),)


def test_a_gradual_rollback_lets_the_share_of_the_bad_release_fall():
    """Seen from the release that comes back the weights rise; nothing is analysed."""
    plan = gradual(**COUNTS, weights=(50, 10), hold_seconds=60.0)

    assert plan == (Step(2, 2, 0), Step(2, 2, 50, 60.0), Step(2, 2, 90, 60.0), Step(2, 2, 100))


def plans() -> st.SearchStrategy[Plan]:
    number = st.integers(1, 20)
    return st.one_of(
        st.builds(
            lambda n, live, weights: canary(
                instances=n, live_instances=live, weights=(*weights, 100), hold_seconds=1.0
            ),
            number,
            number,
            st.lists(st.integers(1, 99), unique=True).map(sorted),
        ),
        st.builds(lambda n, live: blue_green(instances=n, live_instances=live), number, number),
        st.builds(
            lambda n, live: rolling(instances=n, live_instances=live, hold_seconds=1.0),
            number,
            number,
        ),
    )


@given(plans())
def test_every_plan_rises_to_everything_and_never_takes_an_instance_back(plan: Plan):
    """Weights and the candidate's instances rise, live's fall, and the last step has all."""
    weights = [step.weight for step in plan]

    assert weights == sorted(set(weights))
    assert weights[-1] == 100
    assert [s.candidate_instances for s in plan] == sorted(s.candidate_instances for s in plan)
    assert [s.live_instances for s in plan] == sorted(
        (s.live_instances for s in plan), reverse=True
    )


@given(instances=st.integers(1, 20), live=st.integers(1, 20))
def test_rolling_never_has_less_than_the_capacity_its_weights_need(instances: int, live: int):
    """What live keeps is at least its share of the traffic, rounded up."""
    for step in rolling(instances=instances, live_instances=live, hold_seconds=1.0):
        assert step.live_instances >= live * (instances - step.candidate_instances) / instances
        assert abs(step.weight - 100 * step.candidate_instances / instances) <= 0.5


@pytest.mark.parametrize(
    "weights", [(), (10, 5, 100), (0, 100), (-1, 100), (10, 50), (10, 150), (10, 10, 100)]
)
def test_weights_that_do_not_rise_to_a_hundred_are_refused(weights: tuple[int, ...]):
    """A plan that would never promote, or would step back, is no plan."""
    with pytest.raises(PlanError, match="must rise"):
        canary(**COUNTS, weights=weights, hold_seconds=1.0)


@pytest.mark.parametrize("gate", [100, 30])
def test_a_gate_where_no_step_is_held_is_refused(gate: int):
    """It would never be met, and somebody counts on it."""
    with pytest.raises(PlanError, match=f"got \\[{gate}\\]"):
        canary(**COUNTS, weights=(10, 100), hold_seconds=1.0, gates=(gate,))


@pytest.mark.parametrize("weights", [(10, 50), (100, 50), (50, 0), (50, 50)])
def test_a_gradual_rollback_that_does_not_fall_is_refused(weights: tuple[int, ...]):
    """Its first weight takes something away, and each one more."""
    with pytest.raises(PlanError, match="must fall"):
        gradual(**COUNTS, weights=weights, hold_seconds=1.0)


@pytest.mark.parametrize(
    "plan",
    [
        lambda: canary(instances=0, live_instances=1, weights=(100,), hold_seconds=1.0),
        lambda: blue_green(instances=0, live_instances=1),
        lambda: rolling(instances=0, live_instances=1, hold_seconds=1.0),
        lambda: gradual(instances=0, live_instances=1, weights=(50,), hold_seconds=1.0),
    ],
)
def test_a_slot_without_instances_is_refused(plan: object):
    """Traffic to nothing is no plan either."""
    with pytest.raises(PlanError, match="at least one instance, got 0"):
        plan()  # type: ignore[operator]
