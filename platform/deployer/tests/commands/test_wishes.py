"""What people ask of a rollout on paper: to wait, to go on, to go out in a freeze, to be watched."""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
from paper import Paper
from shopfront import PRODUCT, SECONDS, until, wanted

from deployer.commands import running
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.commands.running import describe_request, request, resume, watch
from deployer.commands.why import why
from deployer.driver import read_rollout
from deployer.engine import Phase, Rollout
from deployer.errors import ConflictError
from deployer.freeze import FreezeWindow
from deployer.ledger import Verb

CALM = 3_600.0  # a hold that no test waits for


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


def state_of(paper: Paper) -> Rollout:
    header = paper.context.ledger.history(PRODUCT, limit=1)[0]
    return read_rollout(paper.context.ledger, header)


def frozen(paper: Paper) -> None:
    """Freeze the environment from yesterday until tomorrow."""
    now = time.time()
    window = FreezeWindow.model_validate(
        {"reason": "holidays", "from": now - 86_400, "until": now + 86_400}
    )
    environment = paper.context.environment.model_copy(update={"freeze": (window,)})
    target = paper.context.target
    paper.context = replace(paper.context, environment=environment)
    paper.context.__dict__["local"] = target


def test_a_paused_rollout_waits_until_it_is_resumed(paper: Paper, pool: ThreadPoolExecutor):
    """It stays at its weight with its process alive; `resume` asks, and does not take over."""
    paper.commit_next()
    pending = pool.submit(rollout, paper.context, [wanted()])
    until(lambda: paper.phase is Phase.WATCHING, "watching")
    request(paper.context, PRODUCT, Verb.PAUSE, why="lunch")
    until(lambda: state_of(paper).paused, "paused")
    what = describe_request(paper.context, PRODUCT, Verb.PROMOTE)
    assert resume(paper.context, PRODUCT) is None
    until(lambda: not state_of(paper).paused, "going on")
    request(paper.context, PRODUCT, Verb.ABORT, why="enough")
    (state,) = pending.result(SECONDS)

    assert what.startswith("would promote product@")
    assert state is not None
    assert state.phase is Phase.ROLLED_BACK


def test_a_rollout_that_was_paused_when_its_process_died_goes_on_when_resumed(paper: Paper):
    """Whoever resumes wants both: the process's place, and that it goes on."""
    paper.interrupt()
    header = paper.context.ledger.history(PRODUCT, limit=1)[0]
    paper.context.ledger.request(
        header.service, header.id, running.wish(paper.context, Verb.PAUSE, why="lunch")
    )
    state = resume(paper.context, PRODUCT, listen=paper.push)

    assert state is not None
    assert (state.phase, state.paused) == (Phase.PROMOTED, False)


def test_a_freeze_refuses_a_rollout_and_says_until_when(paper: Paper):
    """With its reason, and with what a reason would look like."""
    paper.commit_next()
    frozen(paper)
    known = paper.context.ledger.history(PRODUCT)
    with pytest.raises(ConflictError) as refused:
        rollout(paper.context, [wanted()])

    assert refused.value.code == "frozen"
    assert "local is frozen until " in refused.value.cause
    assert refused.value.cause.endswith(": holidays")
    assert "--despite-freeze" in refused.value.hint
    assert paper.context.ledger.history(PRODUCT) == known


def test_a_freeze_gives_way_to_a_reason(paper: Paper):
    """Which is told, and kept with the rollout."""
    version = paper.commit_next()
    frozen(paper)
    rollout(paper.context, [wanted()], despite_freeze="the shop is down", listen=paper.push)

    assert paper.live == version
    assert "going out despite the freeze (holidays): the shop is down" in paper.said
    assert why(paper.context, PRODUCT)[0].despite_freeze == "the shop is down"


def test_a_reason_without_a_freeze_is_not_kept(paper: Paper):
    """It would look as if there had been one."""
    paper.commit_next()
    rollout(paper.context, [wanted()], despite_freeze="just in case", listen=paper.push)

    assert why(paper.context, PRODUCT)[0].despite_freeze == ""


def test_a_rollback_is_never_frozen(paper: Paper):
    """The way back is open day and night."""
    paper.promote_next()
    frozen(paper)

    assert rollback(paper.context, PRODUCT).phase is Phase.PROMOTED
    assert paper.live == "1.0.0"


def test_a_broken_live_release_is_replaced_at_once(paper: Paper):
    """No canary beside something that does not even answer: smoke check, then all traffic."""
    version = paper.commit_next()
    paper.target.faults.unready = {"1.0.0"}

    def heal(state: Rollout, event: object) -> None:
        paper.target.faults.unready.clear()  # it is the old release that is ill, not the new one
        paper.push(state, None)

    (state,) = rollout(paper.context, [wanted()], listen=heal)

    assert state is not None
    assert [step.weight for step in state.order.plan] == [0, 100]
    assert paper.live == version
    assert any("all its traffic moves at once" in text for text in paper.said)


def test_a_watcher_goes_on_with_what_died(paper: Paper, monkeypatch: pytest.MonkeyPatch):
    """Whatever process it was, and it tells how it ended; a second look finds nothing."""
    version = paper.interrupt()
    told = watch(paper.context, once=True, listen=paper.push)

    assert told == (f"product@{version} promoted",)
    assert paper.live == version
    assert watch(paper.context, once=True) == ()


def test_a_watcher_leaves_alone_what_lives(paper: Paper, pool: ThreadPoolExecutor):
    """Its process does its own work."""
    paper.commit_next()
    pending = pool.submit(rollout, paper.context, [wanted()])
    until(lambda: paper.phase is Phase.WATCHING, "watching")

    assert watch(paper.context, once=True) == ()
    request(paper.context, PRODUCT, Verb.ABORT, why="enough")
    pending.result(SECONDS)


def test_a_watcher_goes_on_watching_until_it_is_stopped(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
):
    """It looks every second; here the second look is its last."""
    paper.interrupt()
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        if paper.phase is None:
            raise KeyboardInterrupt

    monkeypatch.setattr(running.time, "sleep", sleep)
    with pytest.raises(KeyboardInterrupt):
        watch(paper.context, listen=paper.push)

    assert set(looks) == {running.WATCH_SECONDS}


def test_a_gradual_rollback_after_promotion_steps_down(paper: Paper):
    """Half, three quarters, nine tenths, everything; nothing is analysed on the way."""
    paper.promote_next()
    state = rollback(paper.context, PRODUCT, gradually=True)

    assert (state.phase, paper.live) == (Phase.PROMOTED, "1.0.0")
    assert [step.weight for step in state.order.plan] == [0, 50, 75, 90, 100]


def test_why_splits_the_time_only_where_the_analysis_turned_it_back(paper: Paper):
    """A promotion has no fault to be detected."""
    paper.promote_next()
    (account,) = why(paper.context, PRODUCT)

    assert account.split is None
    assert account.strategy == "canary"
