"""A service that was installed by its whole chart comes under the deployer, and nobody notices."""

from __future__ import annotations

import json

import pytest
from campaign.passages import wait_for
from e2e.shop import FIRST, USER
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.demo.story import Call, Customer
from deployer.commands.demo.traffic import Traffic
from deployer.commands.up import up
from deployer.targets.kubernetes.shipments import Shipments

pytestmark = pytest.mark.cluster

NAMESPACE = f"{USER}-dev"
TELL = Call(USER, "GET", "/user/api")


def test_a_service_installed_whole_is_taken_over_without_losing_a_request(
    stack: Context, customer: Customer, cluster: Cluster
):
    """Its Deployment goes, its routes stay and get weights; then the whole chart is refused."""
    live = stack.live(USER)
    assert live is not None
    shipment = Shipments(stack.cluster, stack.target.names).find(live)
    forget(stack, cluster)
    with shipment.unpacked() as chart:
        install = (
            "upgrade", "--install", str(USER), str(chart), "-n", NAMESPACE, "--wait",
            "-f", f"{chart}/values-dev.yaml", "--set", f"image={shipment.image}",
        )  # fmt: skip
        cluster.run("helm", *install, seconds=240)
        traffic = Traffic(customer, [TELL], per_second=60.0, clients=8)
        traffic.start()
        try:
            wait_for(lambda: any(answer.ok for answer in traffic.answers), seconds=30)
            began = len(traffic.answers)
            up(stack, FIRST)  # the release that is there already
            wait_for(lambda: not deployments(cluster, str(USER)), seconds=60)
        finally:
            traffic.stop()
        answers = traffic.since(began)
        with pytest.raises(Exception, match="deployer"):
            cluster.run("helm", *install, seconds=60)

    assert len(answers) > 100
    assert [answer for answer in answers if not answer.ok] == []
    assert deployments(cluster, f"{USER}-blue")


def forget(stack: Context, cluster: Cluster) -> None:
    """Have the cluster as it was before the deployer ever came to the service."""
    for name in (f"{USER}-blue", f"{USER}-green", str(USER)):
        cluster.run("helm", "uninstall", name, "-n", NAMESPACE, "--ignore-not-found", "--wait")
    cluster.kubectl("delete", "httproutes", "--all", "-n", NAMESPACE)
    cluster.kubectl("delete", "configmaps", "deployer", "rollouts", "-n", NAMESPACE)
    cluster.kubectl("delete", "configmaps", "-n", NAMESPACE, "-l", "deployer/kind=rollout")


def deployments(cluster: Cluster, name: str) -> list[str]:
    """Names of the service's Deployments, those of that name."""
    found = json.loads(cluster.kubectl("get", "deployments", "-n", NAMESPACE, "-o", "json"))
    return [e["metadata"]["name"] for e in found["items"] if e["metadata"]["name"] == name]
