"""The way back never depends on the health of the bad version."""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest
from campaign.harm import harm, points_of
from e2e.shop import OLD

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic

pytestmark = pytest.mark.campaign

BACK_SECONDS = 2.0


@pytest.mark.parametrize("sends", [signal.SIGKILL, signal.SIGSTOP], ids=["killed", "stopped"])
def test_the_traffic_is_back_soon_whatever_became_of_the_candidate(
    short: Context,
    busy: Traffic,
    full: bool,
    record: Callable[..., None],
    sends: signal.Signals,
):
    """At every point of the rollout, the one after promotion included."""
    points = points_of(short)
    chosen = points if full else points[-2:]
    back = {at: harm(short, busy, at=at, sends=sends).back_after(str(OLD)) for at in chosen}
    record(
        f"harm-{sends.name.lower()}",
        back_seconds={at: round(seconds, 3) for at, seconds in back.items()},
        worst_seconds=round(max(back.values()), 3),
    )

    assert len(points) >= 6
    assert max(back.values()) <= BACK_SECONDS, back
