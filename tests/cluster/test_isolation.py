"""What one service, one release and one identity can't do to another."""

from __future__ import annotations

import base64
import json
import os
import subprocess
from pathlib import Path

import pytest
import urllib3
from campaign.passages import DEPLOYER, promote, take_back, wait_for
from e2e.shop import NEW, PRODUCT
from helm import Environment
from testbed import Cluster

from deployer.commands.context import Context
from deployer.commands.demo.traffic import Traffic
from deployer.commands.release import Wanted
from deployer.commands.rollout import rollout
from deployer.engine import Phase
from deployer.model import ServiceName
from deployer.releases import Version
from deployer.targets.kubernetes.pods import has_started

pytestmark = pytest.mark.cluster

ORDER = ServiceName("order")
NAMESPACE = f"{PRODUCT}-dev"


def as_pipeline(
    stack: Context, cluster: Cluster, folder: Path, *words: str
) -> subprocess.CompletedProcess[str]:
    """Run the program with the identity of product's pipeline."""
    environment = Environment(cluster, "dev", (PRODUCT,))
    kubeconfig = environment.identity(NAMESPACE, "pipeline", folder / "kubeconfig")
    return subprocess.run(
        (str(DEPLOYER), *words, "--env", "dev"),
        cwd=stack.workspace.root, check=False, capture_output=True, text=True, timeout=300,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)},
    )  # fmt: skip


def test_products_pipeline_rolls_out_product_and_nothing_else(
    short: Context, busy: Traffic, cluster: Cluster, tmp_path: Path
):
    """Order is refused before anything of it is changed, and the error says what is missing."""
    before = objects_of(cluster, f"{ORDER}-dev")
    refused = as_pipeline(short, cluster, tmp_path, "rollout", str(ORDER))
    allowed = as_pipeline(short, cluster, tmp_path, "rollout", f"{PRODUCT}@{NEW}")

    assert refused.returncode == 1
    assert "error[rights-missing]" in refused.stderr
    assert f"{ORDER}-dev" in refused.stderr
    assert objects_of(cluster, f"{ORDER}-dev") == before
    assert allowed.returncode == 0, allowed.stderr
    live = short.live(PRODUCT)
    assert live is not None
    assert live.version == str(NEW)
    take_back(short)
    assert [answer for answer in busy.answers if not answer.ok] == []


def test_a_bad_releases_configuration_never_reaches_the_old_version(
    short: Context, busy: Traffic, cluster: Cluster
):
    """What the live pods were told is the same to the byte, and so is what they answer."""
    before = told(cluster, str(short.target.situation(PRODUCT).live))
    answered = page(short)
    faults = (("PLATFORM_FAULT_ERROR_SHARE", "0.3"), ("PLATFORM_FAULT_PATH", "/api/v1/products"))
    wanted = Wanted(PRODUCT, Version(1, 3, 7), faults, same_code_as_tree=True)
    (state,) = rollout(short, [wanted])

    assert state is not None
    assert state.phase is Phase.ROLLED_BACK
    assert set(told(cluster, str(short.target.situation(PRODUCT).live))) == set(before)
    assert page(short) == answered


@pytest.mark.campaign
def test_a_password_rotated_on_standby_does_not_break_the_undo(
    short: Context, busy: Traffic, cluster: Cluster
):
    """The old slot's warm pods read the new one from the file; the database knows only that one."""
    promote(short)
    (state,) = rollout(short, [Wanted(PRODUCT, Version(1, 3, 6), same_code_as_tree=True)])
    assert state is not None
    assert state.phase is Phase.PROMOTED
    before = database_url(cluster)
    cluster.kubectl("delete", "secret", "-n", NAMESPACE, f"{PRODUCT}-database")
    short.target.up(short.workspace.services)
    after = database_url(cluster)
    wait_for(lambda: all(mounted(cluster, pod) == after for pod in pods(cluster)), seconds=150)
    seen = len(busy.answers)
    take_back(short)
    wait_for(lambda: len(busy.answers) > seen + 200, seconds=60)
    failed = [answer for answer in busy.since(seen) if not answer.ok]
    live = short.live(PRODUCT)

    assert before != after
    assert live is not None
    assert live.version == str(NEW)
    assert failed == []


def test_the_autoscaler_adds_a_pod_to_a_busy_live_slot(stack: Context, cluster: Cluster):
    """A real one: by the CPU that the metrics server reports; and it may take it away again."""
    live = str(stack.target.situation(PRODUCT).live)
    name = f"{PRODUCT}-{live}"
    found = json.loads(cluster.kubectl("get", "hpa", name, "-n", NAMESPACE, "-o", "json"))["spec"]
    target = {"type": "Utilization", "averageUtilization": 1}
    metric = {"type": "Resource", "resource": {"name": "cpu", "target": target}}
    wished = {"metrics": [metric], "minReplicas": 1, "maxReplicas": 3}
    before = len(pods(cluster, live))

    def set_up(spec: object) -> None:
        patch = json.dumps({"spec": spec})
        cluster.kubectl("patch", "hpa", name, "-n", NAMESPACE, "--type=merge", "-p", patch)

    set_up(wished)
    try:
        wait_for(lambda: len(pods(cluster, live)) > before, seconds=180)
    finally:
        set_up({key: found[key] for key in ("metrics", "minReplicas", "maxReplicas")})

    assert found["minReplicas"] == 1


def test_every_pod_runs_restricted(stack: Context, cluster: Cluster):
    """Its namespace enforces the level, so a pod that is there keeps to it."""
    for service in stack.workspace.services:
        found = json.loads(cluster.kubectl("get", "namespace", f"{service}-dev", "-o", "json"))
        level = found["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        running = cluster.kubectl("get", "pods", "-n", f"{service}-dev", "-o", "name")

        assert level == "restricted"
        assert running.strip()


def objects_of(cluster: Cluster, namespace: str) -> object:
    """Every object in a namespace that only a deployer writes, with its version."""
    kinds = "services,configmaps,secrets,leases,jobs"
    found = json.loads(cluster.kubectl("get", kinds, "-n", namespace, "-o", "json"))
    return sorted(
        (each["kind"], each["metadata"]["name"], each["metadata"]["resourceVersion"])
        for each in found["items"]
    )


def pods(cluster: Cluster, slot: str = "") -> list[str]:
    """Names of product's running pods."""
    label = f"app.kubernetes.io/name={PRODUCT},deployer/slot" + (f"={slot}" if slot else "")
    found = json.loads(cluster.kubectl("get", "pods", "-n", NAMESPACE, "-l", label, "-o", "json"))
    return [
        each["metadata"]["name"]
        for each in found["items"]
        if "deletionTimestamp" not in each["metadata"] and has_started(each)
    ]


def told(cluster: Cluster, slot: str) -> list[str]:
    """What the processes of a slot's pods have in their environment, but for their own names."""
    found = []
    for pod in pods(cluster, slot):
        text = cluster.kubectl("exec", "-n", NAMESPACE, pod, "--", "cat", "/proc/1/environ")
        variables = (e for e in text.split("\0") if not e.startswith("HOSTNAME="))
        found.append("\0".join(sorted(variables)))  # the runtime has no order of its own
    return found


def page(context: Context) -> bytes:
    """Return what a customer sees of the catalogue."""
    url = f"{context.target.public_url}/product/api/v1/products?limit=5"
    return urllib3.request("GET", url).data


def database_url(cluster: Cluster) -> str:
    """Return what the Secret holds."""
    data = ("secret", f"{PRODUCT}-database", "-n", NAMESPACE, "-o", "jsonpath={.data.url}")
    return base64.b64decode(cluster.kubectl("get", *data)).decode()


def mounted(cluster: Cluster, pod: str) -> str:
    """Return what a pod reads."""
    path = "/run/secrets/database/url"
    return cluster.kubectl("exec", "-n", NAMESPACE, pod, "--", "cat", path).strip()
