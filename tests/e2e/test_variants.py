"""A flag of a running service: set, rolled out, and switched off when its callers fare worse.

The release has an arm that fails: a route for the purpose, whose flag's variant breaks one answer in five.
"""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from campaign.passages import clients, deployer, wait_for
from e2e.shop import USER

from deployer.commands.context import Context
from deployer.commands.demo.story import Call, Customer
from deployer.commands.demo.traffic import Traffic
from deployer.commands.flags import list_flags, roll_out_flag, set_flag
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.commands.why import why
from deployer.engine import Kind, Phase
from deployer.metrics import counts_by_variant, digest_on

pytestmark = pytest.mark.e2e

FLAG = "single-spaces"
TRIAL = """

import secrets

from flask import Blueprint
from platform_kit import Problem
from user.flags import SINGLE_SPACES

trial = Blueprint("trial", __name__)


@trial.get("/trial/<key>")
def try_it(key):
    if SINGLE_SPACES.on(key) and secrets.randbelow({breaks_one_in}) == 0:
        raise Problem(500, "fault_injected", "This variant is broken.")
    return {{"key": key}}
"""
PER_SECOND = 50.0
OFF_SECONDS = 40.0
IN_FORCE_SECONDS = 0.2
SLOWER = 5  # than promised, on a machine that others use too
AT_ONCE = {"strategy": "blue-green", "monitor_seconds": 0.0}
TRIALS = Call(USER, "GET", "/user/api/v1/trial/{unique}")


def release_trial(context: Context, *, breaks_one_in: int) -> None:
    """Have a user live with a route that asks the flag for every caller."""
    path = context.workspace.root / "services" / "user" / "src" / "user" / "app.py"
    before = path.read_text()
    assert before.count("flags=FLAGS,") == 1
    text = before.replace("flags=FLAGS,", "flags=FLAGS, blueprints=[trial],")
    path.write_text(text + TRIAL.format(breaks_one_in=breaks_one_in))
    try:
        (state,) = rollout(context, [Wanted(USER)], options=AT_ONCE)
    finally:
        path.write_text(before)
    assert state is not None
    assert state.phase is Phase.PROMOTED, state.cause


@pytest.fixture(scope="module")
def broken(stack: Context) -> Context:
    """A release whose flag's variant fails one request in five, the flag given to nobody yet."""
    release_trial(stack, breaks_one_in=5)
    set_flag(stack, USER, FLAG, share=0)
    return stack


@pytest.fixture
def trials(customer: Customer) -> Iterator[Traffic]:
    """Fifty different callers a second."""
    with clients(customer, [TRIALS], per_second=PER_SECOND, count=8) as traffic:
        yield traffic


def digests(context: Context) -> set[str]:
    """Of what instances decide by; those of an older release have no flags."""
    told = (digest_on(page.text) for page in context.target.pages(USER).values())
    return {digest for digest in told if digest}


def test_a_flag_that_is_set_is_in_force_at_once(broken: Context):
    """In every instance, by the time the command is done; the release is not touched."""
    live = broken.live(USER)
    before = digests(broken)
    began = time.monotonic()
    state = set_flag(broken, USER, FLAG, share=25)
    took = time.monotonic() - began

    assert state.phase is Phase.PROMOTED
    assert digests(broken).isdisjoint(before)
    assert took <= IN_FORCE_SECONDS * SLOWER
    assert broken.live(USER) == live
    set_flag(broken, USER, FLAG, share=0)


def test_a_flag_whose_callers_fare_worse_is_switched_off(broken: Context, trials: Traffic):
    """By what the two arms answered in the same seconds; its release goes on, and `why` tells which it was."""
    live, seen, began = broken.live(USER), len(trials.answers), time.monotonic()
    state = roll_out_flag(broken, USER, FLAG, shares=(10, 50, 100), hold_seconds=30.0)
    took = time.monotonic() - began
    (account,) = why(broken, USER)
    (line,) = list_flags(broken, [USER])

    assert state.phase is Phase.ROLLED_BACK, state.cause
    assert any(answer.injected for answer in trials.since(seen))
    assert took <= OFF_SECONDS * SLOWER
    assert (line.share, line.remarks) == (0, ("constant: everybody gets the same",))
    assert (account.kind, account.flag, account.variant) == (Kind.FLAG, FLAG, "on")
    assert broken.live(USER) == live

    wait_for(lambda: not any(a.injected for a in trials.answers[-50:]), seconds=30)


def test_a_release_is_told_from_a_flag(broken: Context, trials: Traffic):
    """On the command line, and in the file of the incident."""
    del trials
    roll_out_flag(broken, USER, FLAG, shares=(50, 100), hold_seconds=30.0)
    told = why(broken, USER)
    newest = max(
        (broken.state / "incidents").glob("user-*.md"), key=lambda path: path.stat().st_mtime
    )

    assert told[0].flag == FLAG
    assert told[0].live == told[0].candidate
    assert newest.read_text().startswith(f"# flag {FLAG} of user was switched off")


def test_a_flag_that_harms_nobody_is_given_to_all(stack: Context, customer: Customer):
    """Step by step, and nobody who had it loses it on the way."""
    release_trial(stack, breaks_one_in=1 << 40)
    with clients(customer, [TRIALS], per_second=200.0, count=16):
        told = deployer(stack, "flag", "rollout", USER, FLAG, "--steps", "50,100", "--hold", "1")
        pages = stack.target.pages(USER).values()

    assert f"flag {FLAG} of user promoted" in told
    assert sum(counts_by_variant(page.text, FLAG)["on"].requests for page in pages) > 0
    deployer(stack, "flag", "list")
    deployer(stack, "flag", "set", USER, FLAG, "off")
