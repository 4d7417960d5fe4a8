"""The cluster that the other tests stand on does what they take for granted."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import urllib3

sys.path.insert(0, str(Path(__file__).parent))  # the builders beside the tests, by name

import web
from testbed import Cluster, images, kind
from testbed.commands import wait_for
from testbed.failures import PartFailedError
from testbed.folders import Folders

pytestmark = pytest.mark.cluster

IMAGE = "python:3.11-slim-bookworm"
DOCKERFILE = """
ARG PYTHON=python:3.11-slim-bookworm
FROM ${PYTHON}
RUN python -m venv /opt/venv && /opt/venv/bin/pip install --no-cache-dir idna
ENV PATH=/opt/venv/bin:$PATH
"""


@pytest.fixture(scope="module")
def image(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> str:
    """An image that was built here, with a package from the index in it, and pushed."""
    folder = tmp_path_factory.mktemp("image")
    (folder / "Dockerfile").write_text(DOCKERFILE)
    reference = f"{cluster.registry}/testbed/web:1"
    cluster.run("docker", "build", "--quiet", "--tag", reference, str(folder), seconds=580)
    cluster.run("docker", "push", "--quiet", reference, seconds=300)
    return reference


@pytest.fixture(scope="module")
def served(cluster: Cluster, image: str) -> Iterator[Cluster]:
    """Two servers, all traffic to blue."""
    objects = [
        web.namespace(),
        *web.server("blue", image),
        *web.server("green", image),
        web.gateway("web-public", _port(cluster.public_url)),
        web.gateway("web-internal", _port(cluster.internal_url)),
        web.route({"blue": 100, "green": 0}),
        web.autoscaler("blue"),
    ]
    apply(cluster, *objects)
    for name in ("blue", "green"):
        rollout = ("rollout", "status", f"deployment/{name}", "--timeout=90s")
        cluster.kubectl("-n", web.NAMESPACE, *rollout)
    yield cluster
    cluster.kubectl("delete", "namespace", web.NAMESPACE, "--wait=false")


def apply(cluster: Cluster, *objects: dict[str, object]) -> None:
    """Make or change objects, through the API server's own apply."""
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": objects})
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)


def answer(url: str) -> str:
    """Return a page, or an empty text while there is none."""
    try:
        response = urllib3.request("GET", url, retries=False, timeout=5.0)
    except urllib3.exceptions.HTTPError:
        return ""
    return response.data.decode() if response.status == 200 else ""


def in_pod(cluster: Cluster, program: str) -> str:
    """Run a Python program in a pod and return what it printed."""
    words = ("exec", "deployment/blue", "--", "python", "-c", program)
    return cluster.kubectl("-n", web.NAMESPACE, *words)


def asked_in_pod(cluster: Cluster, url: str, expected: str) -> None:
    """Have a pod ask for a page until it answers as expected: a new address takes a second."""
    program = f"import urllib.request as u; print(u.urlopen('{url}', timeout=5).read().decode())"
    wait_for(lambda: in_pod(cluster, program) == expected, f"{expected!r} in a pod", seconds=30)


def test_every_node_is_ready(cluster: Cluster) -> None:
    """A node that is not ready runs no pod."""
    nodes = json.loads(cluster.kubectl("get", "nodes", "-o", "json"))["items"]

    conditions = [condition for node in nodes for condition in node["status"]["conditions"]]
    assert {"True"} == {each["status"] for each in conditions if each["type"] == "Ready"}


def test_an_image_built_here_runs_under_the_restricted_standard(served: Cluster) -> None:
    """Built by Docker, pushed to the registry, pulled by the node, and confined."""
    said = in_pod(served, "import idna, os; print(os.getuid(), idna.encode('a'))")

    assert said == "1000 b'a'\n"


def test_a_pod_that_is_not_confined_is_refused(served: Cluster) -> None:
    """The standard is enforced: the test before says nothing otherwise."""
    words = ("run", "free", f"--image={served.registry}/testbed/web:1", "--privileged")

    with pytest.raises(PartFailedError, match="violates PodSecurity"):
        served.kubectl("-n", web.NAMESPACE, *words)


def test_a_pod_finds_a_service_by_its_name(served: Cluster) -> None:
    """Cluster DNS answers, and the Service's address leads to its pod."""
    url = f"http://green.{web.NAMESPACE}.svc.cluster.local/asked"

    asked_in_pod(served, url, "green /asked\n")


def test_a_pod_reaches_the_internal_gateway(served: Cluster) -> None:
    """Services call each other through the router, by the name `internal`."""
    url = "http://internal.platform-dev.svc.cluster.local:8081/web/asked"

    asked_in_pod(served, url, "blue /asked\n")


@pytest.mark.parametrize("entry", ["public_url", "internal_url"])
def test_a_weight_serves_soon_after_it_is_changed(served: Cluster, entry: str) -> None:
    """The route's weights are what the router goes by, at either Gateway."""
    url = f"{getattr(served, entry)}/web/asked"
    for name, weights in (("green", (0, 100)), ("blue", (100, 0))):
        apply(served, web.route(dict(zip(("blue", "green"), weights, strict=True))))
        wait_for(
            lambda expected=f"{name} /asked": answer(url) == expected,
            f"all traffic to {name}",
            seconds=15,
        )


def test_the_router_counts_a_service_a_backend(served: Cluster) -> None:
    """Its page, read through the API server, tells the slots of a route apart."""
    page = "/api/v1/namespaces/platform-dev/services/traefik:metrics/proxy/metrics"
    ending = f'-svc-{web.NAMESPACE}-blue-0@kubernetesgateway"'

    def counted() -> bool:
        answer(f"{served.public_url}/web/asked")
        text = served.kubectl("get", "--raw", page)
        return any(
            line.startswith("traefik_service_requests_total{") and ending in line
            for line in text.splitlines()
        )

    wait_for(counted, "the requests of blue on the router's page", seconds=15)


def test_the_autoscaler_sees_the_processor(served: Cluster) -> None:
    """metrics-server has figures of the pods, and the controller reads them."""
    path = "jsonpath={.status.currentMetrics[0].resource.current.averageValue}"
    words = ("-n", web.NAMESPACE, "get", "hpa", "blue", "-o", path)

    wait_for(lambda: served.kubectl(*words), "the autoscaler's metric", seconds=90)


def test_logs_of_a_pod_can_be_read(served: Cluster) -> None:
    """The API server reaches the node's kubelet."""
    assert served.kubectl("-n", web.NAMESPACE, "logs", "deployment/blue") == "serving\n"


def test_a_port_of_a_pod_can_be_read_through_the_api_server(served: Cluster) -> None:
    """So an instance's own figures can be had without a way into the cluster's network."""
    words = ("-n", web.NAMESPACE, "get", "pod", "-l", "app=green", "-o", "name")
    name = served.kubectl(*words).strip().removeprefix("pod/")
    path = f"/api/v1/namespaces/{web.NAMESPACE}/pods/{name}:8000/proxy/asked"

    assert served.kubectl("get", "--raw", path) == "green /asked"


def test_helm_is_there_and_talks_to_the_cluster(cluster: Cluster) -> None:
    """Helm installs what the charts describe."""
    assert cluster.run("helm", "version", "--short").startswith("v3.")
    assert cluster.run("helm", "list", "-n", "default", "-o", "json") == "[]\n"


def test_the_kubeconfig_is_its_owners_alone(cluster: Cluster) -> None:
    """It lets whoever reads it do everything."""
    assert cluster.kubeconfig.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("name", [IMAGE, images.POSTGRES])
def test_base_images_can_be_pulled_from_the_registry(cluster: Cluster, name: str) -> None:
    """Pods may name them, and builds push only what they add."""
    reference = images.in_registry(cluster.registry, name)

    assert reference in cluster.run("docker", "pull", "--quiet", reference)


def test_kinds_objects_are_accepted(cluster: Cluster) -> None:
    """Kind cannot run everywhere; what would be installed on it is at least well formed."""
    folders = Folders(cluster.bin.parent, cluster.kubeconfig.parent)
    for text in (kind.traefik(), kind.metrics_server(folders)):
        words = ("apply", "--server-side", "--force-conflicts", "--dry-run=server", "-f", "-")
        cluster.kubectl(*words, stdin=text)


def _port(url: str) -> int:
    port = urlsplit(url).port
    assert port is not None
    return port
