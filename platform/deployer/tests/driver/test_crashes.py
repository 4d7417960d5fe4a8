"""A driver that dies anywhere: whoever replays its ledger brings the same rollout to the same end."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from driver.scripted import World, rollout_order
from engine.orders import HOOKS, PRODUCT, order

from deployer.engine import Kind, Order, blue_green, gradual, rolling
from deployer.ledger import Request, Verb
from deployer.model import Slot

WRITES = ("append", "finish")
ACTIONS = ("migrate", "scale", "smoke", "shift", "promote", "retire")


class Killed(BaseException):
    """Like SIGKILL: nothing that handles errors handles this."""


class Fate:
    """Counts the moments before and after each write and action, and kills at one of them."""

    def __init__(self, moment: int | None = None) -> None:
        self.moment = moment
        self.passed = 0

    def watch(self, thing: object, names: tuple[str, ...]) -> None:
        for name in names:
            setattr(thing, name, self._around(getattr(thing, name)))

    def _around(self, call: Callable[..., object]) -> Callable[..., object]:
        def watched(*arguments: object, **more: object) -> object:
            self._pass()
            result = call(*arguments, **more)
            self._pass()
            return result

        return watched

    def _pass(self) -> None:
        self.passed += 1
        if self.passed == self.moment:
            raise Killed


Make = Callable[[World], Order]


COUNTS = {"instances": 2, "live_instances": 2}
ROLLING = rolling(**COUNTS, hold_seconds=2.0)


def canary(world: World) -> Order:
    return rollout_order()


def canary_with_hooks(world: World) -> Order:
    return rollout_order(hooks=HOOKS)


def canary_without_standby(world: World) -> Order:
    return rollout_order(standby_seconds=0.0)


def switch(world: World) -> Order:
    return rollout_order(plan=blue_green(**COUNTS))


def roll(world: World) -> Order:
    return rollout_order(plan=ROLLING)


def undo(world: World) -> Order:
    return order(kind=Kind.ROLLBACK, plan=blue_green(**COUNTS), standby_seconds=0.0)


def undo_gradually(world: World) -> Order:
    plan = gradual(**COUNTS, weights=(50,), hold_seconds=2.0)
    return order(kind=Kind.ROLLBACK, plan=plan, standby_seconds=0.0)


def caught(make: Make) -> Make:
    """The release begins to fail when it gets traffic."""

    def failing(world: World) -> Order:
        world.observer.failed = 60
        return make(world)

    failing.__name__ = f"caught_{make.__name__}"
    return failing


def aborted(make: Make, verb: Verb = Verb.ABORT) -> Make:
    """Somebody aborts while the release is watched."""

    def interfered(world: World) -> Order:
        def ask() -> None:
            (header,) = world.ledger.history(PRODUCT)
            world.ledger.request(
                header.service, header.id, Request(world.clock.now(), verb, "ann", "stop")
            )

        world.clock.alarms = [(1000.35, ask)]
        return make(world)

    interfered.__name__ = f"{verb}_{make.__name__}"
    return interfered


PROMOTIONS = (
    canary,
    canary_with_hooks,
    canary_without_standby,
    switch,
    roll,
    undo,
    undo_gradually,
)
WAYS_BACK = (
    *(caught(make) for make in (canary, canary_with_hooks, switch, roll)),
    *(aborted(make) for make in (canary, switch, roll)),
    aborted(canary, Verb.ABORT_GRADUALLY),
)
CASES = [(make, "promoted") for make in PROMOTIONS] + [(make, "rolled-back") for make in WAYS_BACK]


def live_through(make: Make, *moments: int) -> tuple[int, tuple[object, ...]]:
    """Run a rollout through deaths at these moments; return the moments and how all ended."""
    world = World()
    wanted = make(world)
    methods = {name: getattr(world.ledger, name) for name in WRITES}
    actions = {name: getattr(world.target, name) for name in ACTIONS}
    call_hook = world.hooks.call
    passed = 0
    for life, moment in enumerate([*moments, None]):
        fate = Fate(moment)
        vars(world.ledger).update(methods)
        vars(world.target).update(actions)
        vars(world.hooks).update(call=call_hook)
        fate.watch(world.ledger, WRITES)
        fate.watch(world.target, ACTIONS)
        fate.watch(world.hooks, ("call",))
        try:
            state = world.run(wanted) if life == 0 else world.go_on()
        except Killed:
            continue
        finally:
            passed += fate.passed
        break
    header = world.ledger.history(PRODUCT)[0]
    return passed, (state.phase, header.outcome, state.cause, *world.target.end)


@pytest.mark.parametrize(
    ("make", "outcome"), CASES, ids=lambda each: getattr(each, "__name__", each)
)
def test_a_death_at_any_moment_changes_nothing_of_the_end(make: Make, outcome: str):
    """Before and after each write and each action: the same release serves, with the same cause."""
    moments, end = live_through(make)
    assert end[1] == outcome
    assert moments > 20

    for moment in range(1, moments + 1):
        _, after = live_through(make, moment)
        assert _without_counts(after) == _without_counts(end), f"died at moment {moment}"


@pytest.mark.parametrize("make", [canary, caught(canary), aborted(canary), roll, aborted(roll)])
def test_deaths_of_those_who_take_over_change_nothing_either(make: Make):
    """One death after the other: each life gets a little further."""
    _, end = live_through(make)

    for step in (3, 4, 7):
        _, after = live_through(make, *[step] * 30)
        assert _without_counts(after) == _without_counts(end)


def test_an_action_that_is_not_idempotent_is_noticed():
    """The control of this campaign: a promotion that, done twice, undoes itself."""

    def toggling(world: World) -> Order:
        def promote(_service: object, slot: Slot, **_more: object) -> None:
            world.target.live = slot.other if world.target.live is slot else slot

        world.target.promote = promote  # type: ignore[method-assign]
        return rollout_order()

    moments, end = live_through(toggling)
    ends = [live_through(toggling, moment)[1] for moment in range(1, moments + 1)]

    assert any(_without_counts(after) != _without_counts(end) for after in ends)


def _without_counts(end: tuple[object, ...]) -> tuple[object, ...]:
    """Leave out how many requests were seen until the verdict: each life takes its own looks."""
    phase, outcome, cause, *rest = end
    return phase, outcome, str(cause).split(maxsplit=1)[0], *rest
