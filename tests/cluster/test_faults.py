"""What can go wrong in a cluster beside the release: each ends in a coded error, the old one serving."""

from __future__ import annotations

import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator

import pytest
from campaign.harm import Points
from campaign.passages import deployer, take_back, wait_for
from e2e.shop import NEW, PRODUCT
from testbed import Cluster
from testbed.parts import Parts

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic
from deployer.commands.orders import leased
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.engine import Phase
from deployer.errors import OperationError
from deployer.model import Release
from deployer.releases import Version
from deployer.targets.kubernetes.shipments import Shipment, Shipments

pytestmark = pytest.mark.cluster

NAMESPACE = f"{PRODUCT}-dev"


@pytest.fixture(autouse=True)
def serving(short: Context, busy: Traffic) -> Iterator[None]:
    """Whatever happens, the old version serves, and nobody else's request is lost."""
    seen = len(busy.answers)
    yield
    assert [answer for answer in busy.since(seen) if not answer.ok] == []
    assert short.live(PRODUCT) is not None


def test_an_image_that_is_not_there_is_named(short: Context, cluster: Cluster):
    """The nodes can't pull it; the candidate never gets traffic."""
    release = Release(PRODUCT, "1.1.5", "5" * 64)
    shipments = Shipments(short.cluster, short.target.names)
    chart = shipments.find(short.live(PRODUCT)).chart
    image = f"{cluster.registry}/{PRODUCT}@sha256:{'5' * 64}"
    shipments.keep(release, Shipment(image, chart), content="none")
    with pytest.raises(OperationError) as failure:
        candidate(short, release)

    assert failure.value.code == "image-not-pulled"
    assert PRODUCT in failure.value.cause


def test_a_quota_that_is_used_up_is_named(short: Context, cluster: Cluster):
    """Two slots need more room than one."""
    cluster.kubectl("create", "quota", "tight", "-n", NAMESPACE, "--hard=pods=1")
    try:
        (state,) = rollout(short, [Wanted(PRODUCT, NEW)])
    finally:
        cluster.kubectl("delete", "quota", "tight", "-n", NAMESPACE)

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert "quota" in str(state.cause) or "migration" in str(state.cause)


def test_what_a_killed_helm_left_behind_is_cleared(short: Context, cluster: Cluster):
    """A release in `pending-install` would refuse every later upgrade for ever."""
    name = f"{PRODUCT}-{short.target.situation(PRODUCT).live.other}"
    kill_helm(short, cluster, name)
    left = pending(cluster)
    (state,) = rollout(short, [Wanted(PRODUCT, Version(1, 3, 4), same_code_as_tree=True)])

    assert left == [name]
    assert state is not None
    assert state.phase is Phase.PROMOTED, state.cause
    take_back(short)


def test_a_rollout_outlives_an_api_server_that_is_away(
    short: Context, cluster: Cluster, full: bool
):
    """In the middle of a step: the deployer waits for it, goes on, and the customers notice nothing."""
    away = threading.Thread(target=stop_api_server, args=(cluster, 30 if full else 10))
    points = Points("watching 50", lambda _state: away.start())
    (state,) = rollout(short, [Wanted(PRODUCT, NEW)], listen=points.hear)
    away.join()

    assert state is not None
    assert state.phase is Phase.PROMOTED, state.cause
    take_back(short)


def test_without_a_gateway_nothing_is_begun(short: Context):
    """A route that names none would take the live version out of the traffic, too."""
    path = short.workspace.environments / "dev.toml"
    before = path.read_text()
    history = len(short.ledger.history(PRODUCT))
    platform = 'platform_namespace = "platform-{environment}"'
    assert platform in before
    path.write_text(before.replace(platform, 'platform_namespace = "nowhere-{environment}"'))
    try:
        told = deployer(short, "rollout", f"{PRODUCT}@{NEW}", codes=(1,))
    finally:
        path.write_text(before)

    assert "error[gateway-missing]" in told
    assert "nowhere-dev" in told
    assert len(short.ledger.history(PRODUCT)) == history


def test_without_helm_nothing_is_begun(short: Context, monkeypatch: pytest.MonkeyPatch):
    """The error says how to get it."""
    history = len(short.ledger.history(PRODUCT))
    monkeypatch.setenv("PATH", "/nowhere")
    told = deployer(short, "rollout", f"{PRODUCT}@{NEW}", codes=(1,))

    assert "error[helm-missing]" in told
    assert len(short.ledger.history(PRODUCT)) == history


def stop_api_server(cluster: Cluster, seconds: float) -> None:
    """Freeze the API server of a cluster that the tests have made, for so long."""
    parts = Parts(cluster.kubeconfig.parent).all()
    server = next(part for part in parts if part.name == "kube-apiserver")
    os.kill(server.pid, signal.SIGSTOP)
    try:
        time.sleep(seconds)  # it is away for exactly so long
    finally:
        os.kill(server.pid, signal.SIGCONT)


def kill_helm(context: Context, cluster: Cluster, name: str) -> None:
    """Kill a Helm that waits for pods whose image is not there."""
    slot = name.rpartition("-")[2]
    shipment = Shipments(context.cluster, context.target.names).find(context.live(PRODUCT))
    settings = f"part=slot,slot={slot},image={cluster.registry}/{PRODUCT}:not-there"
    with shipment.unpacked() as chart:
        helm = subprocess.Popen(
            [
                "helm", "install", name, str(chart), "-n", NAMESPACE, "--wait",
                "-f", f"{chart}/values-dev.yaml",
                "--set", settings, "--set-string", "release=000000000000",
            ]
        )  # fmt: skip
        try:
            wait_for(lambda: pending(cluster), seconds=60)
        finally:
            helm.kill()
            helm.wait()


def pending(cluster: Cluster) -> list[str]:
    """Names of Helm releases that somebody is installing, or was when they were killed."""
    return cluster.run("helm", "list", "--pending", "--short", "-n", NAMESPACE).split()


def candidate(context: Context, release: Release) -> None:
    """Scale a release up in the idle slot, under the service's lease, and leave nothing of it."""
    slot = context.target.situation(PRODUCT).live.other
    with leased(context, PRODUCT) as lease:
        try:
            context.target.scale(slot, release, 1, fence=lease.fence, interrupted=lambda: False)
        finally:
            context.target.retire(PRODUCT, slot, fence=lease.fence)
