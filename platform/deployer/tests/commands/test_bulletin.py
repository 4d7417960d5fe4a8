"""What a cluster's own Events say of a rollout."""

from __future__ import annotations

from dataclasses import replace

from engine.orders import order
from simulation.scenarios import errors, scenario

from deployer.commands.bulletin import bulletin, notices_of
from deployer.driver import decode
from deployer.engine import (
    AbortRequested,
    Done,
    Failed,
    Phase,
    Resumed,
    Rollout,
    advance,
    begin_rollout,
)
from deployer.ledger.cluster import Notice
from deployer.simulation import Scenario, play


class Board:
    """Takes notices as a board does, and keeps them."""

    def __init__(self) -> None:
        self.notices: list[Notice] = []
        self.flushed = 0

    def put(self, notice: Notice) -> None:
        self.notices.append(notice)

    def flush(self, *, seconds: float) -> bool:
        self.flushed += 1
        return seconds > 0


def told_of(wanted: Scenario) -> tuple[list[Notice], Rollout]:
    """Play a rollout, and tell it from its ledger."""
    played, board = play(wanted, 1), Board()
    listen = bulletin(board)  # type: ignore[arg-type]
    (header,) = played.ledger.history(played.state.order.service)
    state = begin_rollout(wanted.order)
    listen(state, None)
    for entry in played.ledger.entries(header.service, header.id):
        event = decode(entry)
        state, _ = advance(state, event)
        listen(state, event)
    assert board.flushed == 1
    return board.notices, state


def test_a_rollout_that_is_promoted_is_told_weight_by_weight():
    """From its beginning to its end, with nothing to worry about."""
    notices, _ = told_of(scenario(hold_seconds=60.0))
    weights = [each.note for each in notices if each.reason == "WeightShifted"]

    assert notices[0].reason == "RolloutStarted"
    assert "product@1.1.0 over 1.0.0, by canary" in notices[0].note
    assert weights == [f"product@1.1.0 gets {each} % of the traffic" for each in (10, 25, 50, 100)]
    assert notices[-1] == Notice("Promoted", "product@1.1.0 promoted")
    assert not any(notice.warning for notice in notices)
    assert len(notices) < 30


def test_a_rollout_that_turns_back_is_told_with_its_reason():
    """The verdict in the words of `why`, the traffic that went back, and the end: all warnings."""
    notices, state = told_of(scenario(hold_seconds=60.0, **errors(0.5)))
    (failed,) = [each for each in notices if each.reason == "VerdictFailed"]

    assert state.cause is not None
    assert failed == Notice("VerdictFailed", f"product@1.1.0, 10 %: {state.cause}", warning=True)
    assert "product@1.1.0 gets 0 % of the traffic" in [each.note for each in notices]
    assert notices[-1].reason == "RolledBack"
    assert state.cause in notices[-1].note
    assert notices[-1].warning


def test_what_went_wrong_and_who_asked_is_told():
    """A failed action with its cause, an abort with who and why."""
    state = begin_rollout(order())
    failing = Failed(1.0, state.phase, "build-failed: no space left", ())
    asking = AbortRequested(1.0, "ann", "wrong button")
    failed = notices_of(state, advance(state, failing)[0], failing)
    asked = notices_of(state, advance(state, asking)[0], asking)

    assert failed[0] == Notice(
        "ActionFailed", "product@1.1.0, migrating: build-failed: no space left", warning=True
    )
    words = "ann says that product@1.1.0 is to go back: wrong button"
    assert asked[0] == Notice("AbortRequested", words, warning=True)


def test_a_rollout_that_goes_on_is_not_told_as_a_new_one():
    """Whoever takes over says where it stands."""
    state = begin_rollout(order())
    state = replace(state, phase=Phase.HOLDING, step_index=1)

    assert notices_of(None, state, None) == (
        Notice("RolloutResumed", "product@1.1.0 goes on: holding, step 2 of 5"),
    )


def test_what_changes_nothing_is_not_told():
    """An echo of an earlier action moves nothing, and a new holder has said so already."""
    state = replace(begin_rollout(order()), phase=Phase.HOLDING)
    echo, resumed = Done(1.0, Phase.SHIFTING), Resumed(1.0, "ann")

    assert notices_of(state, advance(state, echo)[0], echo) == ()
    assert notices_of(state, advance(state, resumed)[0], resumed) == ()
