"""The candidate dies or freezes at a named point of its rollout; then it is taken back."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from campaign.passages import Passage, promote, take_back, under_load
from e2e.shop import NEW, PRODUCT

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.engine import Rollout
from deployer.errors import InputError
from deployer.targets.local import processes

AFTERWARDS = "promoted 100"  # when nobody carries a rollout any more
LIFELESS = {"migrating", "starting"}  # the candidate has no process yet


def point(state: Rollout) -> str:
    """Name where a rollout is: its phase and the candidate's share of the traffic."""
    return f"{state.phase} {state.weight}"


@dataclass(slots=True)
class Points:
    """Listens to a rollout: notes its points, and does something at one of them."""

    at: str | None = None
    act: Callable[[Rollout], None] = lambda _state: None
    passed: list[str] = field(default_factory=list)

    def hear(self, state: Rollout, _event: object) -> None:
        """Note a new state."""
        here = point(state)
        if here not in self.passed and state.phase not in LIFELESS:
            self.passed.append(here)
            if here == self.at:
                self.act(state)


def points_of(context: Context) -> tuple[str, ...]:
    """Roll out and back undisturbed; return the points at which the candidate has processes."""
    points = Points()
    (state,) = rollout(context, [Wanted(PRODUCT, NEW)], listen=points.hear)
    assert state is not None
    take_back(context)
    return tuple(points.passed)


def harm(context: Context, traffic: Traffic, *, at: str, sends: signal.Signals) -> Passage:
    """Send a signal to all of the candidate's processes at a point, and ask for the way back."""

    def hurt(state: Rollout) -> None:
        prefix = f"{PRODUCT}-{state.order.candidate_slot}-"
        for _, process in processes.ours(context.state, prefix=prefix):
            process.send_signal(sends)
        hurting.set()

    hurting = threading.Event()
    points = Points(at if at != AFTERWARDS else None, hurt)
    runner = threading.Thread(
        target=lambda: rollout(context, [Wanted(PRODUCT, NEW)], listen=points.hear)
    )
    if at == AFTERWARDS:
        promote(context)
        live = context.target.records.read(PRODUCT).live
        for _, process in processes.ours(context.state, prefix=f"{PRODUCT}-{live}-"):
            process.send_signal(sends)
    else:
        runner.start()
        assert hurting.wait(60), f"never at {at}"
    passage = under_load(traffic, lambda: take_back_unless_it_is(context))
    if at != AFTERWARDS:
        runner.join()
    return passage


def take_back_unless_it_is(context: Context) -> None:
    """Ask for the way back; a rollout that met the harm itself may have gone it already."""
    try:
        take_back(context)
    except InputError as error:
        if error.code != "nothing-to-roll-back-to":
            raise
