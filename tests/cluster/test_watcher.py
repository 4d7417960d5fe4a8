"""The watcher in the cluster goes on with a rollout whose process died."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from campaign.deaths import LIFE_SECONDS, end_of, kill_at, live_through
from campaign.passages import take_back, wait_for
from e2e.shop import PRODUCT
from helm import CHARTS
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic
from deployer.commands.orders import unfinished

pytestmark = pytest.mark.cluster

MOMENT = "after append looked 1"  # the candidate has its first share of the traffic
TAKEN_OVER_SECONDS = 30.0


def test_a_rollout_whose_process_died_is_carried_on_in_the_cluster(
    short: Context,
    busy: Traffic,
    cluster: Cluster,
    watcher: str,
    tmp_path: Path,
    record: Callable[..., None],
):
    """Within half a minute, to the same end, and no request is lost."""
    moments, calm = live_through(short, "rollout")
    take_back(short)
    with watching(short, cluster, watcher, tmp_path / "policy.toml"):
        kill_at(short, "rollout", MOMENT)
        died_at = time.monotonic()
        known = written(short)
        wait_for(lambda: written(short) > known, seconds=LIFE_SECONDS)
        taken_over = time.monotonic() - died_at
        wait_for(lambda: unfinished(short, PRODUCT) is None, seconds=LIFE_SECONDS)
        found = end_of(short)
    take_back(short)
    record("cluster-watcher", taken_over_seconds=round(taken_over, 1))

    assert MOMENT in moments
    assert found == calm
    assert taken_over <= TAKEN_OVER_SECONDS
    assert [answer for answer in busy.answers if not answer.ok] == []


def written(context: Context) -> int:
    """Return how many entries the ledger has of the newest rollout."""
    header = context.ledger.history(PRODUCT, limit=1)[0]
    return len(context.ledger.entries(PRODUCT, header.id))


@contextmanager
def watching(context: Context, cluster: Cluster, image: str, policy: Path) -> Iterator[None]:
    """Have a watcher in the environment, with its policy, by the addresses that a pod reaches."""
    kubernetes, platform = context.environment.kubernetes, context.target.names.platform
    inside = kubernetes.internal_url.format(environment=context.environment.name)
    text = (context.workspace.environments / f"{context.environment.name}.toml").read_text()
    for url in (kubernetes.public_url, kubernetes.probe_url):
        text = text.replace(f'"{url}"', f'"{inside}"')
    policy.write_text(text)
    cluster.run(
        "helm", "upgrade", "--install", "deployer", str(CHARTS / "deployer"), "-n", platform,
        "--wait", "--timeout", "120s", "--set-file", f"policy={policy}",
        "--set", f"image={image},environment={context.environment.name}", seconds=180,
    )  # fmt: skip
    try:
        yield
    finally:
        cluster.run("helm", "uninstall", "deployer", "-n", platform, "--wait")
