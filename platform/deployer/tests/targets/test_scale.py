"""Instances come and go without a lost request, and a slot that is dead or hung holds up nobody."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace

import psutil
import pytest
import yaml
from polling import eventually
from slots import BLUE, GREEN, HOLDER, PRODUCT, Clients, Stack, kill, served

from deployer.errors import OperationError
from deployer.model import Release, Slot
from deployer.targets.local import LocalTarget, Safeguards, processes

pytestmark = pytest.mark.integration

BROWSE = "/api/v1/products"
CLIENTS = 8
PAUSE_SECONDS = 3.0  # longer than an instance waits for its database
QUICK_SECONDS = 1.0  # for traffic to leave a slot that does not answer


def slow(release: Release, seconds: float = 0.1) -> Release:
    """The release with answers that take a while: some are always under way."""
    latency = ("PLATFORM_FAULT_LATENCY_SECONDS", str(seconds))
    return replace(release, configuration=(latency, ("PLATFORM_FAULT_PATH", BROWSE)))


def names(stack: Stack, slot: Slot) -> set[str]:
    found = processes.ours(stack.target.state, prefix=f"{PRODUCT}-{slot}-")
    return {name for name, _ in found}


def stop(stack: Stack, slot: Slot) -> None:
    """SIGSTOP to every process of a slot, and see that it was taken."""
    for _, process in processes.ours(stack.target.state, prefix=f"{PRODUCT}-{slot}-"):
        process.suspend()
    for each in stack.instances(slot):
        assert eventually(lambda each=each: not processes.running(each.pid, each.started))


def routed(stack: Stack) -> dict[str, object]:
    """Return what the router's file says of the service's slots."""
    path = stack.target.router._folder / "services/product.yml"
    services = yaml.safe_load(path.read_text())["http"]["services"]
    return {
        each["name"]: (each["weight"], len(services[each["name"]]["loadBalancer"]["servers"]))
        for each in services["product"]["weighted"]["services"]
    }


# Up and down


def test_the_youngest_leave_and_the_oldest_stay(both: Stack):
    """Two, one, and the same one when asked again."""
    both.scale(GREEN, both.v2, 2)
    two = both.instances(GREEN)
    both.scale(GREEN, both.v2, 1)
    both.scale(GREEN, both.v2, 1)

    assert both.instances(GREEN) == two[:1]
    assert names(both, GREEN) == {two[0].id}
    assert routed(both) == {"product-blue": (100, 1), "product-green": (0, 1)}
    assert both.target.situation(PRODUCT).of(GREEN).ready


def test_a_slot_without_instances_stays_installed(both: Stack):
    """Out of the route and without a process, with all that an undo needs: scale, wait, route."""
    configured = replace(both.v2, configuration=(("PLATFORM_LOG_LEVEL", "warning"),))
    both.scale(GREEN, configured)
    both.scale(GREEN, configured, 0)
    emptied = both.target.situation(PRODUCT).of(GREEN)
    route, left = routed(both), names(both, GREEN)
    both.scale(GREEN, emptied.release)
    both.shift(GREEN, 100)

    assert (emptied.release, emptied.wanted, emptied.instances) == (configured, 0, ())
    assert not emptied.ready
    assert (route, left) == ({"product-blue": (100, 1)}, set())
    assert set(served(both.url(), times=20)) == {"product@1.1.0 (green)"}


def test_a_live_slot_that_gave_its_traffic_away_may_be_emptied(both: Stack):
    """As the last step of a rolling rollout does: it is gone from the weighted service."""
    both.shift(GREEN, 100)
    both.scale(BLUE, both.v1, 0)

    assert routed(both) == {"product-green": (100, 1)}
    assert set(served(both.url(), times=20)) == {"product@1.1.0 (green)"}


def test_healing_leaves_an_empty_slot_empty(both: Stack):
    """What has no instance wants none."""
    both.scale(GREEN, both.v2, 0)
    both.target.heal(PRODUCT)

    assert both.instances(GREEN) == ()
    assert both.record().green.release == both.v2


def test_an_instance_that_is_not_ready_leaves_before_a_younger_one(both: Stack):
    """Its age is no merit."""
    both.scale(GREEN, both.v2, 2)
    first, second = both.instances(GREEN)
    worker = psutil.Process(first.pid).children()[0]
    worker.suspend()
    both.scale(GREEN, both.v2, 1)

    assert both.instances(GREEN) == (second,)
    assert names(both, GREEN) == {second.id}


def test_a_slot_without_instances_fails_its_smoke_test(both: Stack):
    """Installed is not there."""
    both.scale(GREEN, both.v2, 0)
    with pytest.raises(OperationError) as refused:
        both.target.smoke(GREEN, both.v2)

    assert refused.value.code == "smoke-failed"


# Under load


def test_no_request_is_lost_when_instances_come_and_go(both: Stack):
    """Eight clients on kept connections, answers that take a while: 1, 2, 1 instances."""
    release = slow(both.v2)
    both.scale(GREEN, release)
    both.shift(GREEN, 100)
    clients = Clients(both.url(BROWSE))
    with clients.asking(CLIENTS):
        both.scale(GREEN, release, 2)
        both.scale(GREEN, release, 1)
        answered = len(clients.answers)
        assert eventually(lambda: len(clients.answers) > answered + CLIENTS)

    assert clients.lost == []
    assert len(names(both, GREEN)) == 1


def test_without_the_safeguards_scaling_down_loses_requests(both: Stack):
    """The control of the test above: the same clients see it."""
    release = slow(both.v2)
    both.scale(GREEN, release, 2)
    both.shift(GREEN, 100)
    hasty = both.other(safeguards=Safeguards(barrier=False, drain=False))
    clients = Clients(both.url(BROWSE))
    with clients.asking(CLIENTS):
        hasty.scale(GREEN, release, 1, fence=HOLDER, interrupted=lambda: False)

    assert clients.lost


class Killed(BaseException):
    """Like SIGKILL: nothing that handles errors handles this."""


def die(*_arguments: object, **_more: object) -> None:
    raise Killed


@pytest.mark.parametrize("moment", ["_publish", "_stop_strays"])
def test_scaling_down_goes_on_after_a_death_in_the_middle(
    both: Stack, monkeypatch: pytest.MonkeyPatch, moment: str
):
    """Whoever calls again ends in the same place, and loses nothing either."""
    release = slow(both.v2)
    both.scale(GREEN, release, 2)
    both.shift(GREEN, 100)
    oldest, _ = both.instances(GREEN)

    clients = Clients(both.url(BROWSE))
    with clients.asking(CLIENTS):
        with monkeypatch.context() as patched:
            patched.setattr(LocalTarget, moment, die)
            with pytest.raises(Killed):
                both.scale(GREEN, release, 1)
        both.scale(GREEN, release, 1)

    assert clients.lost == []
    assert both.instances(GREEN) == (oldest,)
    assert names(both, GREEN) == {oldest.id}


def test_retiring_goes_on_after_a_death_in_the_middle(both: Stack, monkeypatch: pytest.MonkeyPatch):
    """The record is empty already; the router and the processes follow, in that order."""
    release = slow(both.v2)
    both.scale(GREEN, release)
    both.shift(GREEN, 50)
    clients = Clients(both.url(BROWSE))
    with clients.asking(CLIENTS):
        both.shift(BLUE, 100)
        with monkeypatch.context() as patched:
            patched.setattr(LocalTarget, "_publish", die)
            with pytest.raises(Killed):
                both.target.retire(PRODUCT, GREEN, fence=HOLDER)
        both.target.retire(PRODUCT, GREEN, fence=HOLDER)

    assert clients.lost == []
    assert names(both, GREEN) == set()


# Stopped, hung and dead


def test_a_stopped_slot_drains_like_any_other(both: Stack):
    """TERM to a stopped process is not heard: it is woken, and answers what it had in hand.

    However long it was stopped: it does not blame the database for that time.
    """
    both.shift(GREEN, 50)
    clients = Clients(both.url(BROWSE))
    with clients.asking(CLIENTS):
        stop(both, GREEN)
        time.sleep(PAUSE_SECONDS)  # the pause that nobody may be blamed for
        answered = len(clients.answers)
        both.shift(BLUE, 100)
        began = time.monotonic()
        both.target.retire(PRODUCT, GREEN, fence=HOLDER)
        took = time.monotonic() - began
        assert eventually(lambda: len(clients.answers) > answered + CLIENTS)

    assert took < both.environment.instance.drain_seconds
    assert names(both, GREEN) == set()
    assert clients.lost == []


def test_a_stopped_slot_is_emptied_without_delay(both: Stack):
    """Nobody waits until it says that it is ready."""
    stop(both, GREEN)
    began = time.monotonic()
    both.scale(GREEN, both.v2, 0)

    assert time.monotonic() - began < both.environment.instance.drain_seconds
    assert (both.instances(GREEN), names(both, GREEN)) == ((), set())


def test_a_stopped_instance_is_replaced(both: Stack):
    """It holds its ports and answers nothing: no better than dead."""
    (stopped,) = both.instances(GREEN)
    stop(both, GREEN)
    both.scale(GREEN, both.v2)
    (fresh,) = both.instances(GREEN)

    assert fresh.id != stopped.id
    assert names(both, GREEN) == {fresh.id}
    assert both.target.situation(PRODUCT).of(GREEN).ready


def test_a_drain_that_does_not_end_is_cut_off(both: Stack):
    """Its requests take a minute; the traffic has long been back."""
    hung = slow(both.v2, 60)
    both.scale(GREEN, hung)
    both.shift(GREEN, 100)
    clients = Clients(both.url(BROWSE), timeout_seconds=1.0)
    with clients.asking(2, answers=0):
        assert eventually(lambda: clients.lost)
        both.shift(BLUE, 100)
        assert eventually(lambda: clients.seen(BLUE))
        began = time.monotonic()
        both.target.retire(PRODUCT, GREEN, fence=HOLDER)
        took = time.monotonic() - began

    grace = both.environment.instance.drain_seconds
    assert grace * 0.5 < took < grace + 5
    assert names(both, GREEN) == set()


def dead(stack: Stack) -> None:
    kill(stack.instances(GREEN)[0])


def stopped(stack: Stack) -> None:
    stop(stack, GREEN)


def hanging(stack: Stack) -> None:
    stack.scale(GREEN, slow(stack.v2, 60))
    stack.shift(GREEN, 100)


@pytest.mark.parametrize("become", [dead, stopped, hanging])
def test_traffic_leaves_a_slot_at_once_whatever_became_of_it(
    both: Stack, become: Callable[[Stack], None]
):
    """In a second at most, while eight requests wait there for an answer."""
    both.shift(GREEN, 100)
    become(both)
    clients = Clients(both.url(BROWSE), timeout_seconds=5.0)
    with clients.asking(CLIENTS, answers=0):
        began = time.monotonic()
        both.shift(BLUE, 100)
        took = time.monotonic() - began
        back = set(served(both.url(), times=20))

    assert took < QUICK_SECONDS
    assert back == {"product@1.0.0 (blue)"}


@pytest.mark.parametrize("become", [dead, stopped])
def test_no_traffic_goes_to_a_slot_that_is_not_ready_while_the_other_is(
    both: Stack, become: Callable[[Stack], None]
):
    """Refused at the write: neither record nor route has changed."""
    become(both)
    before = (both.record(), routed(both))
    with pytest.raises(OperationError) as refused:
        both.shift(GREEN, 10)

    assert refused.value.code == "slot-not-ready"
    assert "no instance of product@1.1.0 (green) is ready to take 10 %" in refused.value.cause
    assert (both.record(), routed(both)) == before
    assert set(served(both.url(), times=20)) == {"product@1.0.0 (blue)"}


def test_an_installed_slot_without_instances_gets_no_traffic(both: Stack):
    """It is not even in the route."""
    both.scale(GREEN, both.v2, 0)
    with pytest.raises(OperationError) as refused:
        both.shift(GREEN, 100)

    assert refused.value.code == "slot-not-ready"


def test_a_slot_that_holds_nothing_gets_no_traffic(live: Stack):
    """The other would lose it, and nobody would get it."""
    with pytest.raises(OperationError) as refused:
        live.shift(GREEN, 100)

    assert refused.value.code == "slot-not-ready"
    assert "no instance of product (green)" in refused.value.cause
    assert routed(live) == {"product-blue": (100, 1)}


def test_traffic_may_leave_a_dead_live_slot_step_by_step(both: Stack):
    """What stays there for the moment was there before: refusing would make it worse."""
    kill(both.instances(BLUE)[0])
    both.shift(GREEN, 50)
    both.shift(GREEN, 100)
    with pytest.raises(OperationError) as refused:
        both.shift(BLUE, 10)

    assert refused.value.code == "slot-not-ready"
    assert set(served(both.url(), times=20)) == {"product@1.1.0 (green)"}


def test_where_no_slot_is_ready_the_route_is_set_as_asked(both: Stack):
    """A database that is down makes both unready: no reason to keep traffic anywhere."""
    for slot in (BLUE, GREEN):
        kill(both.instances(slot)[0])
    both.shift(GREEN, 50)

    assert routed(both) == {"product-blue": (50, 1), "product-green": (50, 1)}


# What failed


def test_the_failed_requests_of_a_release_are_told_with_their_lines(both: Stack):
    """By the ids that the answers carried, the newest, and only since then."""
    broken = replace(both.v2, configuration=(("PLATFORM_FAULT_ERROR_SHARE", "1"),))
    both.scale(GREEN, broken)
    both.shift(GREEN, 100)
    ids = both.ask(BROWSE, times=3)
    found = both.target.failing_requests(GREEN, broken, since=time.time() - 60, limit=2)

    assert [each.request_id for each in found] == ids[-2:]
    assert {(each.method, each.route, each.status) for each in found} == {("GET", BROWSE, 500)}
    assert all(each.request_id in line for each in found for line in each.lines)
    assert both.target.failing_requests(GREEN, broken, since=time.time() + 1, limit=9) == ()
