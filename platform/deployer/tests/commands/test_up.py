"""`up` and `down`: interrupted, twice in a row, with a first release that is bad."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
from pathlib import Path

import pytest
from paper import Killed, Paper, PaperTarget, never_ready
from shopfront import PRODUCT, PROGRAM, SECONDS, until, wanted

from deployer.commands.context import Context, open_context
from deployer.commands.orders import unfinished
from deployer.commands.release import build_release
from deployer.commands.rollback import describe_rollback
from deployer.commands.status import status
from deployer.commands.up import ONE_AT_A_TIME, _alone, down, plan_up, up
from deployer.commands.why import why
from deployer.engine import Phase
from deployer.errors import InputError, OperationError
from deployer.ledger import Entry
from deployer.ledger.file import FileLedger
from deployer.ledger.holder import this_holder


def processes_of(context: Context) -> set[tuple[str, int]]:
    return {(name, process.pid) for name, process in context.target.processes()}


def die_when(monkeypatch: pytest.MonkeyPatch, phase: Phase) -> None:
    """Let whoever writes that a phase is done die before it is written."""
    append = FileLedger.append

    def append_or_die(ledger: FileLedger, lease, rollout, entry: Entry, **more) -> None:
        if entry.kind == "done" and f'"{phase}"' in entry.body:
            raise Killed
        append(ledger, lease, rollout, entry, **more)

    monkeypatch.setattr(FileLedger, "append", append_or_die)


def on_paper(checkout: Path, said: list[str] | None = None) -> Context:
    """An environment on paper where nothing is installed yet."""
    context = open_context(checkout, "local", say=(said if said is not None else []).append)
    context.__dict__["local"] = PaperTarget(context)
    return context


@pytest.mark.integration
def test_an_interrupted_up_goes_on(context: Context):
    """Killed while the first release started; the next one ends it, and a third has no work."""
    with subprocess.Popen(
        (PROGRAM, "up"), cwd=context.workspace.root, stderr=subprocess.PIPE, text=True
    ) as first:
        until(lambda: unfinished(context, PRODUCT) or first.poll() is not None, "an install")
        os.kill(first.pid, signal.SIGKILL)
        assert unfinished(context, PRODUCT), first.communicate(timeout=SECONDS)
    up(context)
    (line,) = status(context)
    assert line.ready
    assert line.live is not None
    assert (line.live.version, line.live.weight, line.live.instances) == ("1.0.0", 100, 1)
    (account,) = why(context, PRODUCT)
    assert (account.kind, account.outcome) == ("install", "promoted")
    assert [each.rule for each in account.decisions].count("resumed") == 1

    # Twice in a row: the same processes, and nothing in the ledger.
    before = processes_of(context)
    up(context)
    assert processes_of(context) == before
    assert len(context.ledger.history(PRODUCT)) == 1

    # An instance that was killed comes back; the rest stays as it is.
    record = context.target.records.read(PRODUCT)
    assert record.blue is not None
    os.kill(record.blue.instances[0].pid, signal.SIGKILL)
    until(lambda: not status(context)[0].ready, "the instance is gone")
    assert plan_up(context) == ("product: would start 1.0.0 again",)
    up(context)
    assert status(context)[0].ready
    assert {each for each in before if each[0] == "router"} <= processes_of(context)

    down(context)
    assert not processes_of(context)


@pytest.mark.parametrize(
    "phase", [Phase.MIGRATING, Phase.STARTING, Phase.SHIFTING, Phase.PROMOTING]
)
def test_an_install_goes_on_from_wherever_it_stopped(
    checkout: Path, monkeypatch: pytest.MonkeyPatch, phase: Phase
):
    """Also when the release was recorded as live, but the ledger had not heard of it."""
    context = on_paper(checkout)
    with monkeypatch.context() as patched:
        die_when(patched, phase)
        with pytest.raises(Killed):
            up(context)
    assert unfinished(context, PRODUCT) is not None
    up(context)

    assert unfinished(context, PRODUCT) is None
    assert len(context.ledger.history(PRODUCT)) == 1
    assert plan_up(context) == ("product: 1.0.0 runs",)


def test_an_install_that_died_and_can_not_start_ends_and_can_be_mended(
    checkout: Path, monkeypatch: pytest.MonkeyPatch
):
    """The broken release does not stand in the way of the next `up` for ever."""
    said: list[str] = []
    context = on_paper(checkout, said)
    with monkeypatch.context() as patched:
        die_when(patched, Phase.STARTING)
        with pytest.raises(Killed):
            up(context)
    target = context.target
    assert isinstance(target, PaperTarget)
    target.faults.unready = {"1.0.0"}
    with pytest.raises(OperationError) as refused:
        up(context)
    target.faults.unready = set()
    up(context)

    assert refused.value.code == "never-up"
    assert any("product@1.0.0 ended" in text for text in said)
    assert status(context)[0].ready


def test_a_first_release_that_never_gets_ready_is_told(checkout: Path):
    """With its cause and where to read more; there is nothing to go back to."""
    context = on_paper(checkout)
    release = build_release(context, wanted())
    target = context.target
    assert isinstance(target, PaperTarget)
    target.faults.errors["start"] = [never_ready(release)]
    with pytest.raises(OperationError) as refused:
        up(context)
    with pytest.raises(InputError) as nothing:
        describe_rollback(context, PRODUCT, to=None)

    assert refused.value.code == "never-up"
    assert "product@1.0.0 did not come up: never-ready: " in refused.value.cause
    assert refused.value.hint == "deployer why product"
    assert context.ledger.history(PRODUCT)[0].outcome == "failed"
    assert nothing.value.code == "not-installed"
    assert plan_up(context) == ("product: would install 1.0.0",)


def test_up_brings_the_version_that_it_is_told(checkout: Path):
    """The demo begins with an older one."""
    context = on_paper(checkout)
    said = wanted("1.0.0", PRODUCT_GREETING="hello")
    up(context, {PRODUCT: said})
    situation = context.target.situation(PRODUCT)
    live = situation.of(situation.live)

    assert live is not None
    assert live.release.configuration == (("PRODUCT_GREETING", "hello"),)


def test_up_leaves_a_service_to_whoever_moves_its_traffic(paper: Paper):
    """It says to whom, and heals everything else."""
    ledger = paper.context.ledger
    lease = ledger.acquire(PRODUCT, this_holder(), now=paper.context.clock.now())
    calls = list(paper.target.calls)
    up(paper.context)
    ledger.release(lease)

    assert f"product: left to {this_holder()}, which is moving its traffic" in paper.said
    assert paper.target.calls == calls


def test_a_candidate_that_does_not_come_up_again_does_not_keep_the_environment_down(
    paper: Paper, monkeypatch: pytest.MonkeyPatch
):
    """After a reboot in the middle of a rollout: the live one serves, the rollout is told."""
    version = paper.interrupt()
    scale = PaperTarget.scale

    def fail_for_candidate(self, slot, release, instances, **more) -> None:
        if release.version == version:
            raise never_ready(release)
        scale(self, slot, release, instances, **more)

    monkeypatch.setattr(PaperTarget, "scale", fail_for_candidate)
    up(paper.context)

    assert status(paper.context)[0].ready
    assert f"product: product@{version} ended" in paper.said
    assert "product: a rollout was interrupted; deployer resume product" in paper.said


def test_a_live_release_that_does_not_come_up_again_is_an_error(paper: Paper):
    """The control: whose traffic it is must be there, rollout or not."""
    paper.interrupt()
    paper.target.faults.unready = {"1.0.0"}
    with pytest.raises(OperationError) as refused:
        up(paper.context)

    assert refused.value.code == "never-ready"


def test_the_second_up_waits_for_the_first(checkout: Path):
    """It says so instead of working beside it; the lock is let go when its holder dies."""
    said: list[str] = []
    context = on_paper(checkout, said)
    entered = threading.Event()

    def second() -> None:
        with _alone(context):
            entered.set()

    thread = threading.Thread(target=second)
    with _alone(context):
        thread.start()
        until(lambda: said, "the second says that it waits")
        assert not entered.is_set()
    thread.join(SECONDS)

    assert entered.is_set()
    assert said == ["waiting for another deployer to finish"]
    assert (context.state / ONE_AT_A_TIME).exists()


def test_down_of_nothing_does_nothing(checkout: Path):
    """Not even a folder is made."""
    context = open_context(checkout, "local")
    down(context)

    assert not context.state.exists()
