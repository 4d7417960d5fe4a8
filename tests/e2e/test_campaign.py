"""A little of each campaign with every change; in full they are `tox -e campaign`."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from pathlib import Path

import figures
import pytest
from campaign.deaths import die, live_through, sleep_through
from campaign.passages import (
    CLIENTS,
    INSTANCES,
    LAST_SECONDS,
    Passage,
    clients,
    fill_live,
    promote,
    take_back,
    under_load,
)
from campaign.policy import SHORT, policy
from e2e.shop import NEW, OLD, PRODUCT

from deployer.commands.context import Context
from deployer.commands.demo.story import Customer
from deployer.commands.demo.traffic import Answer
from deployer.engine import Strategy
from deployer.releases import Version

pytestmark = pytest.mark.e2e

# Half of what the campaign asks for, and five times its goal: what a shared machine may take.
ENOUGH_PER_SECOND = 100.0
GONE_SECONDS = {strategy: 5 * LAST_SECONDS[strategy] for strategy in Strategy}
RESUME_SECONDS = 30.0
DEATHS = 3


@pytest.fixture
def short(stack: Context) -> Iterator[Context]:
    """A canary of one short step: the fewest phases, and every kind of them."""
    with policy(stack, **{**SHORT, "weights": [100]}) as context:
        yield context


@pytest.mark.parametrize("strategy", Strategy)
def test_a_promotion_and_a_rollback_under_load_lose_no_request(
    stack: Context, customer: Customer, strategy: Strategy
):
    """Of 64 clients, each on a kept connection; the control is in test_switch.py."""
    instances = INSTANCES.get(strategy, 1)
    with policy(stack, **SHORT, strategy=strategy, instances=instances) as context:
        fill_live(context, instances)
        with clients(customer) as traffic:
            there = under_load(traffic, lambda: promote(context))
            back = under_load(traffic, lambda: take_back(context))
    fill_live(stack, 1)

    assert (there.failed, back.failed) == (0, 0)
    assert len(there.answers) > CLIENTS
    assert there.per_second >= ENOUGH_PER_SECOND
    assert back.last_served_by(str(NEW)) <= GONE_SECONDS[strategy]


def test_a_deployer_killed_at_three_moments_is_followed_to_the_same_end(
    short: Context, customer: Customer
):
    """The moments are drawn by the commit: every one has its turn in the end."""
    with clients(customer, per_second=120.0, count=16) as traffic:
        moments, calm = live_through(short, "rollout")
        chosen = random.Random(figures.commit()).sample(moments, DEATHS)
        deaths = [die(short, "rollout", moment) for moment in chosen]
        take_back(short)

    assert {each.moment: each.end for each in deaths} == dict.fromkeys(chosen, calm)
    assert max(each.resumed_seconds for each in deaths) <= RESUME_SECONDS
    assert [answer for answer in traffic.answers if not answer.ok] == []


def test_a_deployer_that_wakes_up_late_changes_nothing(short: Context, customer: Customer):
    """Stopped between journal and action; another took the rollout back meanwhile."""
    with clients(customer, per_second=120.0, count=16):
        before, after = sleep_through(short, "rollout", "before shift 1")

    assert before == after


def answer(at: float, *, version: Version, status: int = 200, seconds: float = 0.1) -> Answer:
    return Answer(PRODUCT, at, seconds, status, str(version), injected=False)


def test_a_passage_tells_what_was_lost_and_when_the_bad_version_was_gone():
    """The last answer that it gave counts from the decision; its way back from the last bad ask."""
    answers = (
        answer(99.0, version=NEW),
        answer(101.5, version=NEW, seconds=1.0),
        answer(102.0, version=OLD, status=502, seconds=0.25),
        answer(103.0, version=OLD),
    )
    passage = Passage(100.0, 102.5, answers)

    assert (passage.failed, passage.seconds) == (1, 2.5)
    assert passage.last_served_by(str(NEW)) == 1.5
    assert passage.back_after(str(OLD)) == 1.75


def test_figures_say_where_they_come_from(tmp_path: Path):
    """Without that they are worth nothing."""
    path = figures.write("something", {"worst_seconds": 1.5}, folder=tmp_path / "figures")
    written = json.loads(path.read_text())

    assert path.name == "something.json"
    assert written["worst_seconds"] == 1.5
    assert written["measured"]["commit"] == figures.commit()
    assert {"changed", "python", "system", "cpus", "date"} < set(written["measured"])
