"""Deployers that are killed in the middle of a rollout in a cluster, and two of them at once."""

from __future__ import annotations

import random
import subprocess
import threading
from collections.abc import Callable

import figures
import pytest
from campaign.deaths import die, live_through, of_all
from campaign.passages import DEPLOYER, promote, take_back
from e2e.shop import NEW, PRODUCT

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.engine import Phase

pytestmark = pytest.mark.cluster

FEW, MANY = 3, 20
RESUME_SECONDS = 60.0


def test_a_death_at_any_moment_changes_nothing_of_the_end(
    short: Context, busy: Traffic, full: bool, record: Callable[..., None]
):
    """SIGKILL before and after writes and actions; then `resume`, in another process."""
    moments, calm = live_through(short, "rollout")
    chosen = random.Random(figures.commit()).sample(moments, MANY if full else FEW)
    deaths = [die(short, "rollout", moment) for moment in chosen]
    found = of_all(chosen, deaths, calm=calm)
    record("cluster-deaths", **found)
    take_back(short)

    assert len(moments) > MANY
    assert found["others"] == []
    assert max(each.resumed_seconds for each in deaths) <= RESUME_SECONDS
    assert [answer for answer in busy.answers if not answer.ok] == []


def test_of_two_deployers_at_once_one_is_refused_and_told_who_is_at_it(
    short: Context, busy: Traffic
):
    """The lease is the cluster's, not this machine's."""
    begun, ends = threading.Event(), []

    def first() -> None:
        (state,) = rollout(short, [Wanted(PRODUCT, NEW)], listen=lambda _s, _e: begun.set())
        ends.append(state)

    moving = threading.Thread(target=first)
    moving.start()
    assert begun.wait(60)
    second = subprocess.run(
        (str(DEPLOYER), "rollout", f"{PRODUCT}@{NEW}", "--env", "dev"),
        cwd=short.workspace.root, check=False, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    moving.join()

    assert second.returncode == 1
    assert "error[rollout-running]" in second.stderr
    assert "held by" in second.stderr
    assert ends[0] is not None
    assert ends[0].phase is Phase.PROMOTED
    take_back(short)
    assert [answer for answer in busy.answers if not answer.ok] == []


def test_a_hand_edit_of_the_weights_is_seen_and_put_right(short: Context, busy: Traffic):
    """The route has one owner."""
    promote(short)
    path = f"/apis/gateway.networking.k8s.io/v1/namespaces/{PRODUCT}-dev/httproutes/{PRODUCT}"
    route = short.cluster.get(path)
    assert route is not None
    for backend in route["spec"]["rules"][-1]["backendRefs"]:
        backend["weight"] = 50
    short.cluster.replace(path, route)
    told = short.target.tend(PRODUCT)

    assert [sentence for sentence in told if "was edited" in sentence]
    assert short.target.tend(PRODUCT) == ()
    take_back(short)
