"""Ways back on paper: to which version, by whose hand, and that none is turned around."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from paper import Killed, Paper, never_ready
from shopfront import PRODUCT, SECONDS, until, wanted

from deployer.commands.orders import carry_out, order_rollback, order_rollout, unfinished
from deployer.commands.release import build_release
from deployer.commands.rollback import describe_rollback, promoted_releases, rollback
from deployer.commands.rollout import rollout
from deployer.commands.running import abort, describe_resume, request, resume, retire_standbys
from deployer.commands.up import up
from deployer.driver import encode_order
from deployer.engine import Event, Kind, Order, Phase, Rollout
from deployer.errors import InputError
from deployer.ledger import Header, Lease, LeaseHeldError, Verb
from deployer.ledger.holder import this_holder
from deployer.releases import Version

ELSEWHERE = "other-host:1:1.00"  # a holder that can't be looked at from here


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor() as executor:
        yield executor


def die_at(paper: Paper, phase: Phase) -> Callable[[Rollout, Event | None], None]:
    def listen(state: Rollout, event: Event | None) -> None:
        if state.phase is phase:
            raise Killed
        paper.push(state, event)

    return listen


def interrupt_rollout(paper: Paper, phase: Phase = Phase.WATCHING) -> str:
    """Begin a rollout and let its holder die at a phase; return the version."""
    version = paper.commit_next()
    release = build_release(paper.context, wanted())
    with pytest.raises(Killed):
        carry_out(
            paper.context,
            PRODUCT,
            lambda: order_rollout(paper.context, release),
            listen=die_at(paper, phase),
        )
    return version


def held_elsewhere(paper: Paper, order: Order) -> tuple[Lease, Header]:
    """Begin a rollout that a process of another machine holds."""
    ledger, now = paper.context.ledger, paper.context.clock.now()
    lease = ledger.acquire(PRODUCT, ELSEWHERE, now=now)
    ledger.begin(lease, encode_order(order), now=now)
    header = unfinished(paper.context, PRODUCT)
    assert header is not None
    return lease, header


def hold_at(phase: Phase) -> tuple[Callable[..., None], threading.Event, threading.Event]:
    """Return a listener that stops a rollout at a phase, when it has, and what lets it go."""
    reached, go = threading.Event(), threading.Event()

    def listen(state: Rollout, _event: Event | None) -> None:
        if state.phase is phase:
            reached.set()
            assert go.wait(SECONDS)

    return listen, reached, go


def test_a_running_rollout_is_aborted_by_a_request(paper: Paper, pool: ThreadPoolExecutor):
    """Its holder hears it between two looks."""
    paper.commit_next()
    running = pool.submit(rollout, paper.context, [wanted()])
    until(lambda: paper.phase is Phase.WATCHING, "watching")
    assert abort(paper.context, PRODUCT, why="aborted by hand") is None
    (state,) = running.result(SECONDS)

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert state.cause == f"aborted by hand (asked for by {this_holder()})"
    assert paper.live == "1.0.0"


def test_a_running_rollout_is_rolled_back(paper: Paper, pool: ThreadPoolExecutor):
    """The holder is asked by name, and what it made of it is returned."""
    version = paper.commit_next()
    running = pool.submit(rollout, paper.context, [wanted()])
    until(lambda: paper.phase is Phase.WATCHING, "watching")
    what = describe_rollback(paper.context, PRODUCT, to=None)
    state = rollback(paper.context, PRODUCT)
    (same,) = running.result(SECONDS)

    assert what == f"would stop the rollout of product@{version} and return to 1.0.0"
    assert f"asking {this_holder()} to take product back" in paper.said
    assert state.phase is Phase.ROLLED_BACK
    assert same is not None
    assert (state.phase, state.cause) == (same.phase, same.cause)


def test_nobody_hears_what_is_asked_of_an_interrupted_rollout(paper: Paper):
    """`up` says so, both ways out are named, and no wish is left behind."""
    version = interrupt_rollout(paper)
    with pytest.raises(InputError) as unheard:
        request(paper.context, PRODUCT, Verb.PROMOTE, why="is anybody there?")
    up(paper.context)

    assert unheard.value.code == "rollout-interrupted"
    assert "deployer resume product" in unheard.value.hint
    assert "deployer abort product" in unheard.value.hint
    assert "product: a rollout was interrupted; deployer resume product" in paper.said
    assert describe_resume(paper.context, PRODUCT) == (
        f"would go on with product@{version}: watching, step 2 of 3"
    )
    header = unfinished(paper.context, PRODUCT)
    assert header is not None
    assert not paper.context.ledger.has_requests(header.service, header.id)


def test_the_next_rollout_of_the_same_version_goes_on_with_an_interrupted_one(paper: Paper):
    """Whoever asks for what is on its way gets that, and not a second one."""
    version = interrupt_rollout(paper)
    (state,) = rollout(paper.context, [wanted()], listen=paper.push)

    assert state is not None
    assert (state.phase, state.order.candidate.version) == (Phase.PROMOTED, version)
    assert len(paper.context.ledger.history(PRODUCT)) == 2  # the installation, and this one
    assert f"going on with product@{version}, whose process died" in paper.said


def test_the_next_rollout_of_another_version_takes_an_interrupted_one_back(paper: Paper):
    """Nobody stands behind the older one any more."""
    abandoned = interrupt_rollout(paper)
    version = paper.commit_next()
    (state,) = rollout(paper.context, [wanted()], listen=paper.push)
    (_, before, *_) = paper.context.ledger.history(PRODUCT)

    assert state is not None
    assert (state.phase, paper.live) == (Phase.PROMOTED, version)
    assert before.outcome == "rolled-back"
    assert f"taking back product@{abandoned}, which was on its way" in paper.said


def test_a_running_rollout_is_superseded_only_when_that_is_asked_for(
    paper: Paper, pool: ThreadPoolExecutor
):
    """Refused with the way to do it; with it the older one is back before the newer one goes out."""
    paper.commit_next()
    running = pool.submit(rollout, paper.context, [wanted()])
    until(lambda: paper.phase is Phase.WATCHING, "watching")
    version = paper.commit_next()
    with pytest.raises(LeaseHeldError) as refused:
        rollout(paper.context, [wanted()])
    (state,) = rollout(paper.context, [wanted()], supersede=True, listen=paper.push)
    (old,) = running.result(SECONDS)

    assert "deployer rollout product --supersede" in refused.value.hint
    assert old is not None
    assert state is not None
    assert (old.phase, state.phase, paper.live) == (Phase.ROLLED_BACK, Phase.PROMOTED, version)


def test_an_order_that_meets_an_interrupted_rollout_is_refused_under_the_lease(paper: Paper):
    """Whatever was checked before: between the check and the lease a holder may have died."""
    interrupt_rollout(paper)
    release = build_release(paper.context, wanted())
    with pytest.raises(InputError) as refused:
        carry_out(
            paper.context,
            PRODUCT,
            lambda: order_rollout(paper.context, release),
            listen=paper.push,
        )

    assert refused.value.code == "rollout-interrupted"


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.WATCHING, Phase.PROMOTING, Phase.PROMOTED])
def test_an_interrupted_rollout_is_resumed(paper: Paper, phase: Phase):
    """From wherever it stood, by whoever comes; then nothing is left to resume."""
    version = interrupt_rollout(paper, phase)
    state = resume(paper.context, PRODUCT, listen=paper.push)

    assert state.phase is Phase.PROMOTED
    assert paper.live == version
    with pytest.raises(InputError) as over:
        resume(paper.context, PRODUCT)
    assert over.value.code == "nothing-to-resume"


def test_an_interrupted_rollout_is_rolled_back_without_its_holder(paper: Paper):
    """`rollback` takes the lease of the dead over and turns around."""
    interrupt_rollout(paper)
    state = rollback(paper.context, PRODUCT)

    assert state.phase is Phase.ROLLED_BACK
    assert state.cause == f"rollback (asked for by {this_holder()})"
    assert paper.live == "1.0.0"
    assert unfinished(paper.context, PRODUCT) is None


def test_a_rollout_that_runs_is_not_resumed(paper: Paper):
    """Its holder is named instead."""
    release = build_release(paper.context, wanted())
    held_elsewhere(paper, order_rollout(paper.context, release))
    with pytest.raises(LeaseHeldError) as refused:
        resume(paper.context, PRODUCT)

    assert ELSEWHERE in refused.value.cause


def test_a_rollback_outlives_the_holder_that_it_asked(paper: Paper, pool: ThreadPoolExecutor):
    """The holder never answers: when its lease lapses, whoever waits does what was asked."""
    paper.commit_next()
    release = build_release(paper.context, wanted())
    lease, header = held_elsewhere(paper, order_rollout(paper.context, release))
    waiting = pool.submit(rollback, paper.context, PRODUCT)
    until(lambda: paper.context.ledger.has_requests(header.service, header.id), "the wish is left")
    paper.context.ledger.renew(lease, now=0.0)  # it lapsed long ago
    state = waiting.result(SECONDS)

    assert state.phase is Phase.ROLLED_BACK
    assert paper.live == "1.0.0"


def test_a_rollout_that_ended_meanwhile_is_returned_as_it_is(paper: Paper):
    """Whoever takes a lease over looks again: nothing is written after an end."""
    paper.promote_next()
    (header, *_) = paper.context.ledger.history(PRODUCT)
    entries = paper.context.ledger.entries(header.service, header.id)
    from deployer.commands.orders import take_over

    state = take_over(paper.context, header, listen=paper.push)

    assert state.phase is Phase.PROMOTED
    assert paper.context.ledger.entries(header.service, header.id) == entries


def test_a_wish_that_comes_after_the_last_moment_is_a_rollback_of_its_own(
    paper: Paper, pool: ThreadPoolExecutor
):
    """The release had passed its last check when somebody said no: promoted, then rolled back."""
    version = paper.commit_next()
    hold, reached, go = hold_at(Phase.PROMOTED)

    def listen(state: Rollout, event: Event | None) -> None:
        paper.push(state, event)
        hold(state, event)

    running = pool.submit(rollout, paper.context, [wanted()], listen=listen)
    assert reached.wait(SECONDS)
    header = unfinished(paper.context, PRODUCT)
    assert header is not None
    back = pool.submit(rollback, paper.context, PRODUCT)
    until(lambda: any("asking" in text for text in paper.said), "the wish is left")
    go.set()
    (promoted,) = running.result(SECONDS)
    state = back.result(SECONDS)

    assert promoted is not None
    assert (promoted.phase, promoted.order.candidate.version) == (Phase.PROMOTED, version)
    assert (state.order.kind, state.phase) == (Kind.ROLLBACK, Phase.PROMOTED)
    assert paper.live == "1.0.0"


def test_a_rollback_under_way_is_followed_and_not_turned_around(
    paper: Paper, pool: ThreadPoolExecutor
):
    """Two people press the same button: the bad release does not come back."""
    paper.promote_next()
    (old, _) = promoted_releases(paper.context, PRODUCT)
    hold, reached, go = hold_at(Phase.SMOKING)
    first = pool.submit(
        carry_out,
        paper.context,
        PRODUCT,
        lambda: order_rollback(paper.context, old),
        listen=hold,
    )
    assert reached.wait(SECONDS)
    what = describe_rollback(paper.context, PRODUCT, to=None)
    second = pool.submit(rollback, paper.context, PRODUCT)
    until(lambda: any("already" in text for text in paper.said), "the second has heard")
    go.set()
    ends = first.result(SECONDS), second.result(SECONDS)

    assert what == "would follow the rollback to product@1.0.0 that is on its way"
    assert [end.phase for end in ends] == [Phase.PROMOTED] * 2
    assert paper.live == "1.0.0"


def test_an_interrupted_rollback_goes_on_when_asked_for_again(paper: Paper):
    """Its holder died: it is brought to its end, not turned around."""
    paper.promote_next()
    (old, _) = promoted_releases(paper.context, PRODUCT)
    with pytest.raises(Killed):
        carry_out(
            paper.context,
            PRODUCT,
            lambda: order_rollback(paper.context, old),
            listen=die_at(paper, Phase.SMOKING),
        )
    state = rollback(paper.context, PRODUCT)

    assert (state.phase, paper.live) == (Phase.PROMOTED, "1.0.0")


def test_a_rollback_returns_to_the_last_version_that_was_good(paper: Paper):
    """Not to the one before in time, when that was rolled back itself."""
    good, bad = paper.promote_next(), paper.promote_next()
    undone = rollback(paper.context, PRODUCT)
    newest = paper.promote_next()
    what = describe_rollback(paper.context, PRODUCT, to=None)
    state = rollback(paper.context, PRODUCT)

    assert (undone.order.live and undone.order.live.version, undone.phase) == (bad, "promoted")
    assert what == f"would give all traffic of product to {good}"
    assert (state.phase, paper.live) == (Phase.PROMOTED, good)
    assert newest not in what
    standing = [release.version for release in promoted_releases(paper.context, PRODUCT)]
    assert standing == ["1.0.0", good]


def test_a_rollback_leaves_nothing_of_the_bad_release(paper: Paper):
    """It has no standby: its slot is emptied once the traffic is back."""
    paper.promote_next()
    rollback(paper.context, PRODUCT)
    situation = paper.context.target.situation(PRODUCT)

    assert [each.release.version for each in situation.slots] == ["1.0.0"]
    assert situation.standby_until is None


def test_a_rollback_goes_to_the_version_it_is_told(paper: Paper):
    """To any that stands; one that was rolled back, or never was here, is refused."""
    first, second, third = paper.promote_next(), paper.promote_next(), paper.promote_next()
    rollback(paper.context, PRODUCT, to=Version.parse(first))
    assert paper.live == first

    for version in (third, "6.6.6"):
        with pytest.raises(InputError) as refused:
            rollback(paper.context, PRODUCT, to=Version.parse(version))
        assert refused.value.code == "nothing-to-roll-back-to"
        assert f"no earlier version {version}" in refused.value.cause
    standing = [release.version for release in promoted_releases(paper.context, PRODUCT)]
    assert standing == ["1.0.0", second, first]


def test_a_rollback_to_a_version_turns_a_running_rollout_around_first(paper: Paper):
    """What runs is taken back, and then the traffic goes where it was told to."""
    first, second = paper.promote_next(), paper.promote_next()
    interrupt_rollout(paper)
    state = rollback(paper.context, PRODUCT, to=Version.parse(first))
    assert (state.order.kind, paper.live) == (Kind.ROLLBACK, first)

    # What the running one returns to is what was asked for: nothing more to do.
    interrupt_rollout(paper)
    state = rollback(paper.context, PRODUCT, to=Version.parse(first))
    assert (state.order.kind, state.phase, paper.live) == (
        Kind.ROLLOUT,
        Phase.ROLLED_BACK,
        first,
    )
    assert second != first


def test_a_way_back_that_fails_is_not_followed_by_another(paper: Paper):
    """A person has to look: the old slot does not come up, and neither would an older one."""
    paper.promote_next()
    interrupt_rollout(paper)
    paper.target.faults.errors["smoke"] = [never_ready(build_release(paper.context, wanted()))] * 50
    clock = paper.later(0).clock
    object.__setattr__(clock, "sleep", lambda _seconds: None)
    object.__setattr__(paper.context, "clock", clock)
    state = rollback(paper.context, PRODUCT, to=Version.parse("1.0.0"))

    assert state.phase is Phase.FAILED
    assert unfinished(paper.context, PRODUCT) is None


def test_a_first_version_has_nothing_to_go_back_to(paper: Paper):
    """The hint says where to look."""
    with pytest.raises(InputError) as refused:
        rollback(paper.context, PRODUCT)

    assert refused.value.code == "nothing-to-roll-back-to"
    assert "deployer why product" in refused.value.hint


def test_what_was_never_installed_is_not_rolled_back(checkout, context):
    """Neither told nor done."""
    for act in (rollback, lambda c, s: describe_rollback(c, s, to=None)):
        with pytest.raises(InputError) as refused:
            act(context, PRODUCT)
        assert (refused.value.code, refused.value.hint) == ("not-installed", "deployer up")


def test_a_standby_that_is_over_is_retired(paper: Paper):
    """After its time the old slot has no instance; before, and while a rollout runs, it is left."""
    paper.promote_next()
    early = retire_standbys(paper.context)
    lease = paper.context.ledger.acquire(PRODUCT, this_holder(), now=paper.later(700).clock.now())
    held = retire_standbys(paper.later(700))
    paper.context.ledger.release(lease)
    late = retire_standbys(paper.later(700))
    situation = paper.context.target.situation(PRODUCT)

    assert (early, held, late) == ((), (), (PRODUCT,))
    assert {status.slot: status.wanted for status in situation.slots} == {"green": 1, "blue": 0}
    assert situation.standby_until is None
    assert retire_standbys(paper.later(700)) == ()


def test_up_retires_a_standby_that_is_over(paper: Paper):
    """Nobody watches on one machine: whoever comes by tidies up."""
    paper.promote_next()
    up(paper.later(700))

    situation = paper.context.target.situation(PRODUCT)

    assert [status.wanted for status in situation.slots if status.slot is not situation.live] == [0]


def test_a_rollback_to_a_retired_version_starts_it_again(paper: Paper):
    """A slot without instances only makes it slower."""
    paper.promote_next()
    retire_standbys(paper.later(700))
    state = rollback(paper.context, PRODUCT)

    assert (state.phase, paper.live) == (Phase.PROMOTED, "1.0.0")


def test_a_rollback_measures_no_traffic(paper: Paper, monkeypatch: pytest.MonkeyPatch):
    """Nothing of it is analysed, so nothing delays it."""
    paper.promote_next()
    monkeypatch.setattr("deployer.commands.orders.measure_rate", None)

    assert rollback(paper.context, PRODUCT).phase is Phase.PROMOTED
