"""The local target: real releases of product in two slots behind the real router."""

from __future__ import annotations

import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import psutil
import pytest
from polling import eventually
from slots import BLUE, GREEN, HOLDER, PRODUCT, Clients, Stack, kill, served

from deployer import runner
from deployer.errors import OperationError
from deployer.ledger import StaleFenceError
from deployer.model import Fence
from deployer.targets import InterruptedWait
from deployer.targets.local import Safeguards, ports, processes
from deployer.targets.local import router as router_module
from deployer.targets.record import ServiceRecord

pytestmark = pytest.mark.integration

OLD_HOLDER = Fence(6)
TRIES = 5


# Two slots


def test_two_releases_serve_side_by_side_by_weight(both: Stack):
    """Each says who it is, and the shares are the weights', at every step of a canary."""
    for weight in (10, 25, 50):
        both.shift(GREEN, weight)
        counts = served(both.url(), times=300)

        assert set(counts) == {"product@1.0.0 (blue)", "product@1.1.0 (green)"}
        assert counts["product@1.1.0 (green)"] / 3 == pytest.approx(weight, abs=3)


def test_both_releases_work_on_the_one_database(both: Stack):
    """Through the router, with a query each."""
    both.shift(GREEN, 50)
    counts = served(both.url("/api/v1/products"), times=20)

    assert counts == {"product@1.0.0 (blue)": 10, "product@1.1.0 (green)": 10}


def test_the_situation_is_what_runs(both: Stack):
    """Slots, weights and readiness, as anybody may ask."""
    both.shift(GREEN, 25)
    situation = both.target.situation(PRODUCT)

    assert situation.live is BLUE
    assert [(each.slot, each.release, each.weight) for each in situation.slots] == [
        (BLUE, both.v1, 75),
        (GREEN, both.v2, 25),
    ]
    assert all(each.ready for each in situation.slots)


def test_a_shift_returns_when_the_router_does_it(both: Stack):
    """Not one request that is sent afterwards is answered by the other slot."""
    for turn in range(8):
        slot = (GREEN, BLUE)[turn % 2]
        both.shift(slot, 100)

        assert all(f"({slot})" in name for name in served(both.url(), times=20))


def test_without_the_barrier_a_shift_returns_too_early(both: Stack):
    """The control of the test above: the same check sees requests at the wrong slot."""
    hasty = both.other(safeguards=Safeguards(barrier=False))
    wrong = 0
    for turn in range(8):
        slot = (GREEN, BLUE)[turn % 2]
        hasty.shift(PRODUCT, slot, 100, fence=HOLDER)
        answers = served(both.url(), times=20)
        wrong += sum(count for name, count in answers.items() if f"({slot})" not in name)
        both.shift(slot, 100)

    assert wrong > 0


def test_a_dead_router_takes_no_shift(both: Stack, monkeypatch: pytest.MonkeyPatch):
    """It is refused; what was asked for is written down, for the router that comes back."""
    monkeypatch.setattr(router_module, "CONFIRM_SECONDS", 0.3)
    found = [process for _, process in processes.ours(both.target.state, prefix="router")]
    processes.stop(found, grace_seconds=0)
    with pytest.raises(OperationError) as refused:
        both.shift(GREEN, 100)
    both.target.router.up()

    assert refused.value.code == "route-not-taken"
    assert eventually(lambda: set(served(both.url(), times=5)) == {"product@1.1.0 (green)"})


# Holders


def test_a_stale_holder_changes_nothing(both: Stack):
    """Whatever it does: one that was stopped and wakes up after another took over."""
    route = both.target.router._folder / "services/product.yml"
    before = (both.record(), route.read_text(), both.instances(BLUE), both.instances(GREEN))
    target, stale = both.target, {"fence": OLD_HOLDER}
    never = {"interrupted": lambda: False}
    for late in (
        lambda: target.shift(PRODUCT, GREEN, 100, **stale),
        lambda: target.scale(GREEN, both.v2, 2, **stale, **never),
        lambda: target.scale(GREEN, both.v1, 1, **stale, **never),
        lambda: target.retire(PRODUCT, BLUE, **stale),
        lambda: target.promote(PRODUCT, GREEN, standby_until=None, **stale),
    ):
        with pytest.raises(StaleFenceError):
            late()

    assert before == (
        both.record(),
        route.read_text(),
        both.instances(BLUE),
        both.instances(GREEN),
    )
    assert set(served(both.url(), times=20)) == {"product@1.0.0 (blue)"}


def test_promoting_records_the_live_slot_and_the_standbys_end(both: Stack):
    """The traffic is not touched by it."""
    both.target.promote(PRODUCT, GREEN, standby_until=1234.5, fence=HOLDER)
    situation = both.target.situation(PRODUCT)
    both.target.promote(PRODUCT, BLUE, standby_until=None, fence=HOLDER)

    assert (situation.live, situation.standby_until) == (GREEN, 1234.5)
    assert set(served(both.url(), times=20)) == {"product@1.0.0 (blue)"}


# What was killed, all of it


def test_healing_what_is_well_touches_nothing(both: Stack):
    """The same processes before and after."""
    before = (both.instances(BLUE), both.instances(GREEN))
    both.target.heal(PRODUCT)

    assert (both.instances(BLUE), both.instances(GREEN)) == before


def test_everything_comes_back_after_it_was_killed_all_at_once(both: Stack):
    """As after a reboot: the database, the router and both slots.

    In the hardest moment, when the candidate has all the traffic and is not promoted yet: the live
    slot is started first, and the router is not to wait for the other one before that is.
    """
    both.shift(GREEN, 100)
    everything = [process for _, process in both.target.processes()]
    for process in everything:
        with suppress(psutil.NoSuchProcess):  # a child of one that was killed just now
            process.kill()
    # The database among them: what still ends looks like a server that runs.
    assert eventually(lambda: not any(processes._runs(process) for process in everything))
    both.target.postgres.up((PRODUCT,))
    both.target.router.up()
    both.target.heal(PRODUCT)
    situation = both.target.situation(PRODUCT)

    assert len(everything) > 5
    assert [each.ready for each in situation.slots] == [True, True]
    assert (situation.live, situation.of(GREEN).weight) == (BLUE, 100)
    assert set(served(both.url("/api/v1/products"), times=20)) == {"product@1.1.0 (green)"}


def test_down_leaves_no_process_and_no_port_and_up_brings_it_back(both: Stack):
    """What was served before is served again."""
    both.shift(GREEN, 25)
    instances = (*both.instances(BLUE), *both.instances(GREEN))
    router_ports = [port for _, port in both.environment.ports]
    found = [process for _, process in both.target.processes()]
    both.target.down()
    taken = [
        port
        for port in (
            *router_ports,
            *(i.port for i in instances),
            *(i.admin_port for i in instances),
        )
        if ports.is_taken(port)
    ]

    assert taken == []
    assert list(both.target.processes()) == []
    assert not any(processes._runs(process) for process in found)
    both.target.down()
    both.target.postgres.up((PRODUCT,))
    both.target.router.up()
    both.target.heal(PRODUCT)
    assert served(both.url(), times=20) == {"product@1.0.0 (blue)": 15, "product@1.1.0 (green)": 5}


# Starting


def test_a_candidate_that_does_not_answer_fails_its_smoke_test(both: Stack):
    """It was ready a moment ago."""
    kill(both.instances(GREEN)[0])
    assert eventually(lambda: not ports.is_taken(both.instances(GREEN)[0].port))
    with pytest.raises(OperationError) as refused:
        both.target.smoke(GREEN, both.v2)

    assert refused.value.code == "smoke-failed"


def test_starting_what_runs_starts_nothing(both: Stack):
    """Twice is once; an instance more is one more."""
    first = both.instances(GREEN)
    both.scale(GREEN, both.v2)
    second = both.instances(GREEN)
    both.scale(GREEN, both.v2, instances=2)
    third = both.instances(GREEN)

    assert first == second == third[:1]
    assert len(third) == 2
    assert both.target.situation(PRODUCT).of(GREEN).ready


def test_a_slot_with_another_release_is_emptied_first(both: Stack):
    """Also when only the configuration frozen with it differs."""
    before = both.instances(GREEN)
    configured = replace(both.v2, configuration=(("PLATFORM_LOG_LEVEL", "warning"),))
    both.scale(GREEN, configured)
    (after,) = both.instances(GREEN)

    assert not any(processes.alive(each.pid, each.started) for each in before)
    assert psutil.Process(after.pid).environ()["PLATFORM_LOG_LEVEL"] == "warning"
    assert both.record().green.release == configured


def test_an_empty_slot_fails_its_smoke_test(live: Stack):
    """Nobody there to ask is no answer."""
    with pytest.raises(OperationError) as refused:
        live.target.smoke(GREEN, live.v1)

    assert refused.value.code == "smoke-failed"
    assert "no instance in the slot green" in refused.value.cause


def test_a_candidate_that_answers_as_another_fails_its_smoke_test(live: Stack):
    """The version is asked for at its own address, before it gets any traffic."""
    live.target.smoke(BLUE, live.v1)
    impostor = replace(live.v2, configuration=(("PLATFORM_VERSION", "9.9.9"),))
    live.scale(GREEN, impostor)
    with pytest.raises(OperationError) as refused:
        live.target.smoke(GREEN, impostor)

    assert refused.value.code == "smoke-failed"
    assert "9.9.9" in refused.value.cause


def test_a_candidate_that_ends_at_once_is_never_ready(live: Stack):
    """With its last words; the live slot serves on."""
    broken = replace(live.v2, configuration=(("PLATFORM_THREADS", "0"),))
    began = time.monotonic()
    with pytest.raises(OperationError) as refused:
        live.scale(GREEN, broken)

    assert refused.value.code == "never-ready"
    assert "product@1.1.0 (green) ended" in refused.value.cause
    assert any("PLATFORM_THREADS" in line for line in refused.value.details)
    assert time.monotonic() - began < live.environment.instance.ready_seconds
    assert set(served(live.url(), times=20)) == {"product@1.0.0 (blue)"}


def test_a_candidate_that_stays_unready_is_never_ready(live: Stack):
    """It runs, but its database is nowhere."""
    nowhere = (("PRODUCT_DATABASE_URL", "postgresql://product:x@127.0.0.1:1/product"),)
    lost = replace(live.v2, configuration=nowhere)
    with pytest.raises(OperationError) as refused:
        live.other(ready_seconds=2).scale(GREEN, lost, 1, fence=HOLDER, interrupted=lambda: False)
    situation = live.target.situation(PRODUCT)

    assert refused.value.code == "never-ready"
    assert "is not ready after 2 s" in refused.value.cause
    assert refused.value.details
    assert not situation.of(GREEN).ready
    assert situation.of(GREEN).weight == 0


def test_a_wait_that_is_interrupted_ends_at_once_and_can_go_on(live: Stack):
    """A request for the rollout comes first; a second start takes the instance that is there."""
    with pytest.raises(InterruptedWait):
        live.target.scale(GREEN, live.v2, 1, fence=HOLDER, interrupted=lambda: True)
    (begun,) = live.instances(GREEN)
    live.scale(GREEN, live.v2)

    assert live.instances(GREEN) == (begun,)


def test_a_release_whose_build_is_gone_is_not_started(live: Stack):
    """The folder with the builds may be emptied at any time."""
    gone = replace(live.v2, digest="0" * 64)
    with pytest.raises(OperationError) as refused:
        live.scale(GREEN, gone)

    assert refused.value.code == "build-missing"


def test_a_migration_that_fails_shows_why(stack: Stack):
    """With what the release's own program printed."""
    with pytest.raises(OperationError) as refused:
        stack.target.migrate(stack.v1, phase="sideways")

    assert refused.value.code == "migration-failed"
    assert "the migrations (--phase sideways) of product@1.0.0 failed" in refused.value.cause
    assert any("sideways" in line for line in refused.value.details)


# What was killed or forgotten, in a slot


def test_a_killed_instance_is_started_again(live: Stack):
    """Its worker is not left behind, and the route leads to the new one."""
    (killed,) = live.instances(BLUE)
    worker = psutil.Process(killed.pid).children()
    kill(killed)
    live.target.heal(PRODUCT)
    (healed,) = live.instances(BLUE)

    assert healed.pid != killed.pid
    assert eventually(lambda: not any(processes._runs(each) for each in worker))
    assert live.target.situation(PRODUCT).of(BLUE).ready
    assert set(served(live.url("/api/v1/products"), times=20)) == {"product@1.0.0 (blue)"}


def test_a_process_id_used_again_is_not_taken_for_an_instance(live: Stack, tmp_path: Path):
    """After a reboot a recorded number may be anybody's: that one is left alone."""
    pid = runner.spawn(("sleep", "600"), log=tmp_path / "log", environment={}, cwd=tmp_path)
    bystander = psutil.Process(pid)
    (mine,) = live.instances(BLUE)
    recycled = replace(mine, id="product-blue-before", pid=pid, started=mine.started - 1000)

    def confuse(record: ServiceRecord) -> ServiceRecord:
        return record.with_slot(BLUE, replace(record.blue, instances=(recycled,)))

    live.target.records.update(PRODUCT, confuse, fence=HOLDER)
    live.target.heal(PRODUCT)
    (healed,) = live.instances(BLUE)
    left_alone = bystander.is_running()
    processes.stop([bystander], grace_seconds=1)

    assert left_alone
    assert pid not in {healed.pid, mine.pid}
    assert not processes.alive(mine.pid, mine.started)


def test_a_stray_is_stopped(live: Stack, tmp_path: Path):
    """Started by a deployer that died before it wrote the process id down; others' stay."""
    arguments = ("sleep", "600")
    strangers = [
        processes.start(arguments, name=name, state=state, environment={}, log=tmp_path / "log")
        for name, state in (("product-blue-stray", tmp_path), ("order-green-1", live.target.state))
    ]
    stray, began = processes.start(
        arguments,
        name="product-green-stray",
        state=live.target.state,
        environment={},
        log=tmp_path / "log",
    )
    live.target.retire(PRODUCT, GREEN, fence=HOLDER)
    alive = [processes.alive(pid, started) for pid, started in strangers]
    processes.stop([psutil.Process(pid) for pid, _ in strangers], grace_seconds=1)

    assert not processes.alive(stray, began)
    assert alive == [True, True]


# Draining


def test_retiring_an_empty_slot_is_no_error(live: Stack):
    """Twice is once."""
    live.target.retire(PRODUCT, GREEN, fence=HOLDER)
    live.target.retire(PRODUCT, GREEN, fence=HOLDER)

    assert live.record().green is None
    assert set(served(live.url(), times=20)) == {"product@1.0.0 (blue)"}


def test_no_request_is_lost_when_a_slot_is_drained(live: Stack):
    """Eight clients on kept connections, every answer takes a while, and their slot goes away."""
    live.scale(GREEN, replace(live.v2, configuration=(("PLATFORM_FAULT_LATENCY_SECONDS", "0.1"),)))
    live.shift(GREEN, 100)
    clients = Clients(live.url("/api/v1/products"))
    with clients.asking(8):
        live.shift(BLUE, 100)
        live.target.retire(PRODUCT, GREEN, fence=HOLDER)
        answered = len(clients.answers)
        assert eventually(lambda: len(clients.answers) > answered + 8)

    assert clients.lost == []
    assert min(clients.seen(GREEN), clients.seen(BLUE)) > 0
    assert not list(processes.ours(live.target.state, prefix="product-green-"))


def test_without_the_safeguards_requests_are_lost(live: Stack):
    """The control of the test above: the same clients see it, if not at the first try."""
    slow = replace(live.v2, configuration=(("PLATFORM_FAULT_LATENCY_SECONDS", "0.1"),))
    hasty = live.other(safeguards=Safeguards(barrier=False, drain=False))
    clients = Clients(live.url("/api/v1/products"))
    for _ in range(TRIES):
        live.scale(GREEN, slow)
        live.shift(GREEN, 100)
        with clients.asking(8):
            hasty.shift(PRODUCT, BLUE, 100, fence=HOLDER)
            hasty.retire(PRODUCT, GREEN, fence=HOLDER)
        if clients.lost:
            break

    assert clients.lost
