"""The driver: it writes before it acts, hears requests, tries again, and stops when it must."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest
from driver.scripted import LOOK_SECONDS, Target, World, rollout_order
from engine.orders import HOOKS, NEW, OLD, PRODUCT, order

from deployer.driver import SystemClock
from deployer.driver import driver as driver_module
from deployer.driver.driver import POLL_SECONDS, RETRY_SECONDS
from deployer.engine import Kind, Phase, Point, blue_green
from deployer.errors import OperationError
from deployer.ledger import Request, StaleFenceError, Verb
from deployer.ledger.holder import LEASE_SECONDS, this_holder
from deployer.model import Slot
from deployer.targets import Interrupted, InterruptedWait

# The world as it is when nothing was rolled out, or all of it was taken back.
BEFORE = ({Slot.BLUE: OLD}, {Slot.BLUE: 100}, {Slot.BLUE: 2}, Slot.BLUE, False)


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


def ask(world: World, *verbs: Verb) -> None:
    (header,) = world.ledger.history(PRODUCT)
    for verb in verbs:
        wish = Request(world.clock.now(), verb, by="ann", why="wrong button")
        world.ledger.request(header.service, header.id, wish)


def broken(code: str = "router-down") -> OperationError:
    return OperationError(code, "it does not answer", hint="mend it", details=("last line",))


def test_a_healthy_rollout_is_promoted_step_by_step(world: World):
    """The target hears each action once and in order; the ledger has an outcome."""
    state = world.run()

    assert state.phase is Phase.PROMOTED
    assert world.target.calls == [
        "migrate expand",
        "scale green 2",
        "smoke green",
        "scale green 2",
        "shift green 50",
        "scale green 2",
        "shift green 100",
        "promote green",
    ]
    assert world.target.end == (
        {Slot.BLUE: OLD, Slot.GREEN: NEW},
        {"green": 100, "blue": 0},
        {"green": 2, "blue": 2},
        "green",
        True,
    )
    assert world.ledger.history(PRODUCT)[0].outcome == "promoted"


def test_the_standby_lasts_from_the_promotion(world: World):
    """Its end is a time of the clock, not a length; the check after promotion is no part of it."""
    world.run()

    assert world.target.standby_until == pytest.approx(world.clock.now() + 600.0, abs=1.0)


def test_looks_are_as_far_apart_as_asked_for(world: World):
    """Between two looks the driver sleeps in pieces short enough to hear a request."""
    world.run()

    assert max(world.clock.slept) <= POLL_SECONDS
    # The step and the check after promotion hold for 2 s each: at once, after 1 s, after 2 s.
    assert world.observer.looks == 6
    assert sum(world.clock.slept) == pytest.approx(4 * LOOK_SECONDS)


def test_a_listener_hears_of_every_state(world: World):
    """From the first one to the last, an event each."""
    state = world.run()

    assert world.heard[0].phase is Phase.MIGRATING
    assert world.heard[-1] == state
    assert len(world.heard) == len(world.kinds()) + 1


def test_a_failing_look_gives_the_traffic_back(world: World):
    """All of it, and the candidate's slot is empty afterwards."""
    world.observer.failed = 60
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    assert "failed" in str(state.cause)
    assert world.target.calls[-4:] == [
        "scale blue 2",
        "shift green 0",
        "retire green",
        "smoke blue",
    ]
    assert world.target.end == BEFORE


def test_a_few_errors_are_no_reason_to_turn_back(world: World):
    """The control of the test above: one in a hundred, while 5 % are allowed."""
    world.observer.failed = 1

    assert world.run().phase is Phase.PROMOTED


@pytest.mark.parametrize("action", ["migrate", "scale", "smoke", "shift"])
def test_an_operation_that_fails_on_the_way_forward_turns_back(world: World, action: str):
    """Once is enough, and the cause is told with its code and its log."""
    world.target.faults[action] = [broken()]
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    assert state.cause == "router-down: it does not answer"
    assert "failed" in world.kinds()
    assert world.target.end == BEFORE


@pytest.mark.parametrize("action", ["retire", "smoke"])
def test_an_operation_that_fails_on_the_way_back_is_tried_again(world: World, action: str):
    """With a pause between, until it works."""
    world.target.faults = {"migrate": [broken()], action: [broken(), broken(), broken()]}
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    assert world.clock.slept == [RETRY_SECONDS] * 3


def test_a_way_back_that_never_works_ends_failed_and_is_recorded(world: World):
    """After twenty tries somebody has to look; there is no pause after the last."""
    world.target.faults = {"migrate": [broken()], "shift": [broken("stuck")] * 50}
    state = world.run()

    assert state.phase is Phase.FAILED
    assert state.cause == "router-down: it does not answer; then stuck: it does not answer"
    assert len(world.clock.slept) == 19
    assert world.ledger.history(PRODUCT)[0].outcome == "failed"


def test_a_rollback_without_standby_retires_what_was_live(world: World):
    """An order of another kind goes the same way through the driver."""
    plan = blue_green(instances=2, live_instances=2)
    state = world.run(order(kind=Kind.ROLLBACK, plan=plan, standby_seconds=0.0))

    assert state.phase is Phase.PROMOTED
    assert world.target.end == (
        {Slot.GREEN: NEW},
        {Slot.GREEN: 100},
        {Slot.GREEN: 2},
        Slot.GREEN,
        False,
    )


def test_an_abort_is_heard_between_looks(world: World):
    """While nothing happens it takes a tenth of a second, not until the next look."""
    world.clock.alarms = [(1000.35, lambda: ask(world, Verb.ABORT))]
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    assert state.cause == "wrong button (asked for by ann)"
    assert world.clock.now() == pytest.approx(1000.4, abs=0.11)


def test_an_abort_is_heard_in_the_middle_of_a_wait(world: World):
    """A start that waits for a candidate gives up the wait as soon as it is asked to."""
    polls: list[bool] = []

    def wait(interrupted: Interrupted) -> None:
        polls.append(interrupted())
        if world.target.calls[-1] == "scale green 2":
            ask(world, Verb.ABORT)
            polls.append(interrupted())
            raise InterruptedWait

    world.target.while_scaling = wait
    state = world.run()

    # The way back starts the old slot with the wish long answered: nothing interrupts it.
    assert polls == [False, True, False]
    assert state.phase is Phase.ROLLED_BACK
    assert world.target.calls == [
        "migrate expand",
        "scale green 2",
        "scale blue 2",
        "shift green 0",
        "retire green",
        "smoke blue",
    ]


def test_nothing_interrupts_the_way_back(world: World):
    """A request that comes while the traffic is on its way back waits in vain."""
    world.target.faults = {"migrate": [broken()], "retire": [broken()]}
    world.clock.alarms = [(1000.5, lambda: ask(world, Verb.PROMOTE, Verb.ABORT))]
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    assert not {"promote-requested", "abort-requested"} & set(world.kinds())


def test_a_promote_goes_on_to_the_next_step(world: World):
    """Without a verdict: the two looks that the first step still wanted are not taken."""
    world.clock.alarms = [(1000.35, lambda: ask(world, Verb.PROMOTE))]
    state = world.run()

    assert state.phase is Phase.PROMOTED
    assert world.observer.looks == 4
    assert "promote-requested" in world.kinds()


def test_an_abort_outweighs_a_promote_that_came_before(world: World):
    """Two people disagree: the careful one is heard, and both wishes are answered."""
    world.clock.alarms = [(1000.35, lambda: ask(world, Verb.PROMOTE, Verb.ABORT, Verb.PROMOTE))]
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    (header,) = world.ledger.history(PRODUCT)
    assert not world.ledger.has_requests(header.service, header.id)


def test_what_a_person_wishes_becomes_an_event_each(world: World):
    """Pause and continue are both heard, one after the other, and the rollout goes on."""
    world.clock.alarms = [
        (1000.35, lambda: ask(world, Verb.PAUSE)),
        (1010.0, lambda: ask(world, Verb.CONTINUE)),
    ]
    state = world.run()

    assert state.phase is Phase.PROMOTED
    assert world.kinds().count("pause-requested") == world.kinds().count("continue-requested") == 1
    assert world.clock.now() > 1010.0


def test_a_gradual_abort_waits_at_each_weight_and_can_be_hurried(world: World):
    """From 50 %: a minute at 25, and then somebody loses patience."""
    world.clock.alarms = [
        (1000.35, lambda: ask(world, Verb.ABORT_GRADUALLY)),
        (1030.0, lambda: ask(world, Verb.HURRY)),
    ]
    state = world.run()

    assert state.phase is Phase.ROLLED_BACK
    assert world.target.calls[-4:] == [
        "shift green 25",
        "shift green 0",
        "retire green",
        "smoke blue",
    ]
    assert world.clock.now() == pytest.approx(1030.0, abs=0.2)


def test_hooks_are_called_and_what_they_say_is_kept(world: World):
    """The ledger has their words, where `why` and an incident find them."""
    world.run(rollout_order(hooks=HOOKS))
    (header,) = world.ledger.history(PRODUCT)
    bodies = [entry.body for entry in world.ledger.entries(header.service, header.id)]

    assert [hook.point for hook in world.hooks.called] == list(Point)[:4]
    assert any("before-traffic: yes" in body for body in bodies)


def test_a_hook_is_interrupted_by_an_abort(world: World):
    """A long one does not keep the traffic where it is."""

    def give_up() -> InterruptedWait:
        ask(world, Verb.ABORT)
        return InterruptedWait()

    lease = world.lease()
    rollout, state = world.begin(lease, rollout_order(hooks=HOOKS[:1]))
    world.hooks.faults = [give_up()]

    assert world.driver.run(lease, rollout, state).phase is Phase.ROLLED_BACK


def test_a_holder_whose_lease_was_taken_writes_nothing_more(world: World):
    """It hears so at its next write; neither ledger nor target change after that."""

    def take_over() -> None:
        world.clock.seconds += 2 * LEASE_SECONDS
        newer = world.lease(this_holder())
        world.target.fence = newer.fence

    world.clock.alarms = [(1000.35, take_over)]
    lease = world.lease()
    rollout, state = world.begin(lease)
    with pytest.raises(StaleFenceError) as refused:
        world.driver.run(lease, rollout, state)

    assert refused.value.code == "lease-lost"
    assert world.kinds() == ["done"] * 5 + ["looked"]
    assert world.target.calls[-1] == "shift green 50"
    assert world.ledger.history(PRODUCT)[0].outcome is None


def test_a_target_refuses_a_holder_whose_lease_was_taken(world: World):
    """Not only the ledger: an action under an old number ends the run, and is no failed action."""
    lease = world.lease()
    rollout, state = world.begin(lease)
    world.target.fence = lease.fence + 1
    with pytest.raises(StaleFenceError):
        world.driver.run(lease, rollout, state)

    assert world.target.calls == ["migrate expand"]
    assert world.kinds() == ["done"]


def test_the_lease_is_renewed_while_an_action_takes_long(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """A heartbeat beside the driver: a start of minutes does not lose the lease."""
    monkeypatch.setattr(driver_module, "HEARTBEAT_SECONDS", 0.005)
    renewed = threading.Event()
    renew = world.ledger.renew

    def noted(*arguments: object, **more: object) -> None:
        renew(*arguments, **more)  # type: ignore[arg-type]
        renewed.set()

    monkeypatch.setattr(world.ledger, "renew", noted)
    world.target.while_scaling = lambda _interrupted: _until(renewed)
    world.run()

    assert renewed.is_set()
    assert not [each for each in threading.enumerate() if each.name == f"lease-{PRODUCT}"]


def test_a_heartbeat_that_finds_the_lease_gone_leaves_the_telling_to_the_next_write(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    """It ends quietly; the driver raises."""
    monkeypatch.setattr(driver_module, "HEARTBEAT_SECONDS", 0.005)
    refused = threading.Event()
    renew = world.ledger.renew

    def noted(*arguments: object, **more: object) -> None:
        try:
            renew(*arguments, **more)  # type: ignore[arg-type]
        except StaleFenceError:
            refused.set()
            raise

    def lose(_interrupted: Interrupted) -> None:
        world.clock.seconds += 2 * LEASE_SECONDS
        # Between the two the heartbeat may come: then the lease is fresh again, for a moment.
        world.clock.seconds += 2 * LEASE_SECONDS
        with world.ledger._write() as db:  # type: ignore[attr-defined]
            db.execute("UPDATE lease SET fence = fence + 1, holder = ?", (this_holder(),))
        _until(refused)

    monkeypatch.setattr(world.ledger, "renew", noted)
    world.target.while_scaling = lose

    with pytest.raises(StaleFenceError):
        world.run()


def test_a_rollout_that_was_over_is_only_closed(world: World):
    """A holder that died between the last event and the outcome leaves nothing else to do."""
    lease = world.lease()
    rollout, state = world.begin(lease)
    world.driver.run(lease, rollout, state)
    calls = list(world.target.calls)
    world.clock.seconds += 2 * LEASE_SECONDS
    state = world.go_on()

    assert state.phase is Phase.PROMOTED
    assert world.target.calls == calls


def test_an_order_for_an_empty_environment_has_nothing_to_go_back_to(world: World):
    """A first deployment that fails leaves nothing behind."""
    world.target = Target(releases={}, weights={}, instances={}, live=None)
    world.target.faults["smoke"] = [broken()]
    plan = blue_green(instances=2, live_instances=0)
    first = order(kind=Kind.INSTALL, live=None, plan=plan)

    assert world.run(first).phase is Phase.FAILED
    assert world.target.end == ({}, {}, {}, None, False)


def test_the_systems_clock_is_the_systems_time():
    """Seconds since the epoch, and a sleep that takes at least as long as it says."""
    clock = SystemClock()
    before = time.monotonic()
    clock.sleep(0.01)

    assert time.monotonic() - before >= 0.01
    assert clock.now() == pytest.approx(time.time(), abs=5.0)


def _until(event: threading.Event) -> None:
    assert event.wait(10.0), "the heartbeat did not come within ten seconds"
