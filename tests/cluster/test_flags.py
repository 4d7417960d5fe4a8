"""A flag in a cluster: a ConfigMap of its own, which the pods have soon and which no release touches."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from e2e.shop import USER
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.definitions import flags_of
from deployer.commands.flags import set_flag
from deployer.commands.release import Wanted
from deployer.commands.rollback import rollback
from deployer.commands.rollout import rollout
from deployer.engine import Phase
from deployer.metrics import digest_on
from deployer.releases import Version

pytestmark = pytest.mark.cluster

FLAG = "single-spaces"
IN_FORCE_SECONDS = 10.0
SLOWER = 5  # than promised, on a machine that others use too


@pytest.fixture(scope="module")
def flagged(stack: Context) -> Iterator[Context]:
    """The present release of user, which has flags; it may be live already."""
    first = stack.live(USER)
    assert first is not None
    at_once = {"strategy": "blue-green", "monitor_seconds": 0.0}
    (state,) = rollout(stack, [Wanted(USER)], options=at_once)
    if state is None:
        yield stack
        return
    assert state.phase is Phase.PROMOTED, state.cause
    yield stack
    rollback(stack, USER, to=Version.parse(first.version))


def digests(context: Context) -> set[str]:
    """Of what pods decide by; those of an older release have no flags."""
    told = (digest_on(page.text) for page in context.target.pages(USER).values())
    return {digest for digest in told if digest}


def test_a_flag_is_in_force_in_every_pod_soon(
    flagged: Context, cluster: Cluster, full: bool, record: Callable[..., None]
):
    """Without a restart; the release that is live does not change."""
    live = flagged.live(USER)
    took = []
    for share in (25, 50, 0):
        began = time.monotonic()
        set_flag(flagged, USER, FLAG, share=share)
        took.append(time.monotonic() - began)
    record("cluster-flag", in_force_seconds=took)
    restarts = "{.items[*].status.containerStatuses[*].restartCount}"
    counts = cluster.kubectl("get", "pods", "-n", "user-dev", "-o", f"jsonpath={restarts}")

    assert digests(flagged) == {flags_of(flagged, USER).digest}
    assert max(took) <= IN_FORCE_SECONDS * (1 if full else SLOWER), took
    assert flagged.live(USER) == live
    assert set(counts.split()) == {"0"}


def test_a_new_pod_has_the_environments_flags_from_its_start(flagged: Context, cluster: Cluster):
    """Not those that its image was built with."""
    set_flag(flagged, USER, FLAG, share=50)
    cluster.kubectl("delete", "pods", "-n", "user-dev", "-l", "app.kubernetes.io/name=user")
    cluster.kubectl(
        "rollout", "status", "-n", "user-dev",
        f"deployment/user-{flagged.target.situation(USER).live}", "--timeout=120s",
    )  # fmt: skip

    assert digests(flagged) == {flags_of(flagged, USER).digest}
    set_flag(flagged, USER, FLAG, share=0)
