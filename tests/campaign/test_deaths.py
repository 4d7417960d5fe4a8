"""Deployers that are killed or stopped in the middle of a rollout on real parts."""

from __future__ import annotations

import random
from collections.abc import Callable

import figures
import pytest
from campaign.deaths import die, live_through, of_all, sleep_through

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic

pytestmark = pytest.mark.campaign

FEW = 3
RESUME_SECONDS = 30.0


@pytest.mark.parametrize("verb", ["rollout", "rollback"])
def test_a_death_at_any_moment_changes_nothing_of_the_end(
    short: Context, busy: Traffic, full: bool, record: Callable[..., None], verb: str
):
    """SIGKILL before and after every write and action; then `resume`, in another process."""
    moments, calm = live_through(short, verb)
    chosen = moments if full else random.Random(figures.commit()).sample(moments, FEW)
    deaths = [die(short, verb, moment) for moment in chosen]
    found = of_all(chosen, deaths, calm=calm)
    record(f"deaths-{verb}", **found)

    assert len(moments) > 10
    assert found["others"] == []
    assert max(each.resumed_seconds for each in deaths) <= RESUME_SECONDS
    assert [answer for answer in busy.answers if not answer.ok] == []


@pytest.mark.parametrize("moment", ["before scale 1", "before shift 1", "before shift 2"])
def test_a_deployer_that_wakes_up_late_changes_nothing(short: Context, busy: Traffic, moment: str):
    """Stopped between journal and action; another took the rollout back meanwhile."""
    before, after = sleep_through(short, "rollout", moment)

    assert before == after
    assert [answer for answer in busy.answers if not answer.ok] == []
