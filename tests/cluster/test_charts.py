"""The charts by real Helm and a real API server, in a namespace that enforces the level `restricted`.

The network of a test cluster may not enforce a NetworkPolicy: those are looked at as data.
"""

from __future__ import annotations

import json
import secrets
import shutil
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import yaml
from cluster.calling import Programs, Said
from deployment.services import ROOT, SERVICES
from deployment.skaffold import helm_releases

pytestmark = pytest.mark.cluster

ENVIRONMENTS = ("dev", "staging", "prod")
PARTS = ("all", "slot", "service", "migration")
IMAGE = f"localhost:5000/product:1.1.0@sha256:{'0' * 64}"
RELEASE = "0123456789ab"
# What an API server serves. `helm template` knows of no cluster, and a Helm that was built from source of no version.
VERSION = ("--kube-version", "1.34.0")
NAMESPACE = """
apiVersion: v1
kind: Namespace
metadata:
  name: {name}
  labels:
    deployer/environment: dev
    pod-security.kubernetes.io/enforce: restricted
    pod-security.kubernetes.io/warn: restricted
"""


@pytest.fixture(scope="module")
def programs(cluster, tmp_path_factory) -> Programs:
    """From a copy of the charts with their library in it, as a package has it."""
    folder = tmp_path_factory.mktemp("charts")
    built = shutil.ignore_patterns("*.tgz", "Chart.lock")
    shutil.copytree(ROOT / "charts", folder / "charts", ignore=built)
    programs = Programs(cluster.environment, folder)
    for service in SERVICES:
        programs("helm", "dependency", "build", "--skip-refresh", f"charts/{service}").taken()
    return programs


@pytest.fixture(scope="module")
def namespace(programs) -> Iterator[str]:
    name = f"charts-{secrets.token_hex(3)}"
    programs("kubectl", "apply", "-f", "-", stdin=NAMESPACE.format(name=name)).taken()
    yield name
    programs("kubectl", "delete", "namespace", name, "--wait=false").taken()


@pytest.fixture
def helm(programs, tmp_path) -> Callable[..., Said]:
    """Call Helm on a service's chart with values as the deployer passes them: a file of JSON."""

    def helm(
        *words: str, service: str = "product", environment: str = "dev", **values: Any
    ) -> Said:
        file = tmp_path / f"{secrets.token_hex(4)}.json"
        file.write_text(json.dumps({"image": IMAGE, "release": RELEASE, **values}))
        files = ("-f", f"charts/{service}/values-{environment}.yaml", "-f", file)
        named = (service,) if words[0] == "template" else ()
        return programs("helm", *words[:1], *named, f"charts/{service}", *words[1:], *files)

    return helm


@pytest.fixture
def rendered(helm) -> Callable[..., list[dict[str, Any]]]:
    """Return what a chart renders to."""

    def rendered(**values: Any) -> list[dict[str, Any]]:
        text = helm("template", *VERSION, **values).taken()
        return [each for each in yaml.safe_load_all(text) if each]

    return rendered


def of_kind(manifests, kind):
    return [each for each in manifests if each["kind"] == kind]


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_helm_has_nothing_against_a_chart(helm, service, environment, part):
    """Its linter in its strict mode, with every environment's values."""
    said = helm("lint", "--strict", *VERSION, service=service, environment=environment, part=part)

    assert "0 chart(s) failed" in said.taken()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("environment", ENVIRONMENTS)
@pytest.mark.parametrize("service", SERVICES)
def test_the_api_server_takes_what_a_chart_renders(
    helm, programs, namespace, service, environment, part
):
    """Every object, without a warning: also none that a pod would break the namespace's level."""
    words = ("template", *VERSION, "--namespace", namespace)
    # The Prometheus operator's kind is known only where that is.
    of = {"service": service, "environment": environment, "part": part, "serviceMonitor": False}
    text = helm(*words, **of).taken()
    apply = ("kubectl", "apply", "--namespace", namespace, "--dry-run=server", "-f", "-")
    said = programs(*apply, stdin=text)

    assert said.taken().count("created (server dry run)") == text.count("\nkind: ")
    assert said.err == ""


@pytest.mark.parametrize("part", ["slot", "migration"])
def test_a_pod_of_a_chart_may_run_at_the_level_restricted(rendered, programs, namespace, part):
    """Enforced on the pod itself: a Deployment is only warned about."""
    (workload,) = [each for each in rendered(part=part) if "template" in each.get("spec", {})]
    spec = workload["spec"]["template"]["spec"]
    spec["serviceAccountName"] = "default"
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "one"}, "spec": spec}
    apply = ("kubectl", "apply", "--namespace", namespace, "--dry-run=server", "-f", "-")
    allowed = programs(*apply, stdin=json.dumps(pod))
    del spec["containers"][0]["securityContext"]
    refused = programs(*apply, stdin=json.dumps(pod))

    assert "pod/one created" in allowed.taken()
    assert 'violates PodSecurity "restricted' in refused.err


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            {"part": "some"},
            "at '/part': value must be one of 'all', 'slot', 'service', 'migration'",
        ),
        ({"slot": "red"}, "at '/slot': value must be one of 'blue', 'green'"),
        ({"replicas": 2}, "additional properties 'replicas' not allowed"),
        ({"database": {"url": "x"}}, "at '/database': additional properties 'url' not allowed"),
        ({"image": "two words"}, "at '/image': 'two words' does not match pattern"),
        ({"release": "1.1.0"}, "at '/release': '1.1.0' does not match pattern"),
        ({"version": "latest"}, "at '/version': 'latest' does not match pattern"),
        ({"threads": 0}, "at '/threads': minimum: got 0, want 1"),
        ({"settleSeconds": 0.5}, "at '/settleSeconds': got number, want integer"),
        ({"phase": "both"}, "at '/phase': value must be one of 'expand', 'contract'"),
        ({"routerUrl": "internal:8081"}, "at '/routerUrl': 'internal:8081' does not match pattern"),
        ({"internalPaths": ["v1/x"]}, "at '/internalPaths/0': 'v1/x' does not match pattern"),
        ({"configuration": {"lower": "x"}}, "'lower' does not match pattern"),
        ({"configuration": {"PLATFORM_THREADS": 8}}, "got number, want string"),
        (
            {"resources": {"limits": {"memory": "1G"}}},
            "at '/resources/limits/memory': '1G' does not",
        ),
        ({"part": "slot", "release": ""}, "part=slot needs release"),
        ({"image": ""}, "image is empty: name the full reference"),
        (
            {"environment": "prod", "faultsAllowed": True},
            "at '/faultsAllowed': value must be false",
        ),
        ({"environment": "staging", "reload": True}, "at '/reload': value must be false"),
    ],
)
def test_a_bad_value_is_refused_with_its_place(helm, values, message):
    """Before anything is installed, in words that lead to it."""
    said = helm("template", *VERSION, **values)

    assert said.code != 0
    assert message in said.err


def test_a_cluster_that_cannot_wait_before_a_stop_is_refused(helm):
    """It would leave the sleep out without a word, and lose requests."""
    said = helm("template", "--kube-version", "1.29.0")

    assert "1.30 or later is needed" in said.err


def test_a_slot_is_named_and_chosen_by_slot_and_release(rendered):
    """Its Service never chooses pods of what was in the slot before; its size is the deployer's."""
    manifests = rendered(part="slot", slot="green")
    (deployment,), (service,) = of_kind(manifests, "Deployment"), of_kind(manifests, "Service")
    chosen = {
        "app.kubernetes.io/name": "product",
        "deployer/slot": "green",
        "deployer/release": RELEASE,
    }

    assert "replicas" not in deployment["spec"]
    assert (service["metadata"]["name"], service["spec"]["selector"]) == ("product-green", chosen)
    assert deployment["spec"]["selector"]["matchLabels"] == chosen
    assert chosen.items() <= deployment["spec"]["template"]["metadata"]["labels"].items()


def test_a_whole_installation_does_not_choose_the_pods_of_a_slot(rendered):
    """The deployer installs a slot beside it when it takes over."""
    (whole,) = of_kind(rendered(part="all"), "Service")
    (slot,) = of_kind(rendered(part="slot"), "Deployment")
    labels = slot["spec"]["template"]["metadata"]["labels"]

    assert (
        not whole["spec"]["selector"].items()
        <= {**labels, "app.kubernetes.io/instance": "product-blue"}.items()
    )


def test_a_changed_configuration_has_another_name(rendered):
    """The map is immutable: pods of two releases never read the same one."""
    (one,) = of_kind(rendered(part="slot"), "ConfigMap")
    changed = {"PRODUCT_PAGE": "5", "PLATFORM_THREADS": "4"}
    (other,) = of_kind(rendered(part="slot", configuration=changed), "ConfigMap")

    assert one["immutable"] is other["immutable"] is True
    assert one["metadata"]["name"] != other["metadata"]["name"]
    assert changed.items() <= other["data"].items()


def test_both_slots_read_the_flags_of_one_map_that_may_be_missing(rendered):
    """As a folder, which the kubelet swaps whole: below a subPath nothing ever changes."""
    read = {}
    for slot in ("blue", "green"):
        manifests = rendered(part="slot", slot=slot)
        (told,), (deployment,) = (of_kind(manifests, kind) for kind in ("ConfigMap", "Deployment"))
        pod = deployment["spec"]["template"]["spec"]
        (mount,) = [
            each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "flags"
        ]
        (volume,) = [each for each in pod["volumes"] if each["name"] == "flags"]
        read[slot] = (mount, volume["configMap"], told["data"]["PLATFORM_FLAGS_FILE"])

    assert read["blue"] == read["green"]
    assert read["blue"] == (
        {"name": "flags", "mountPath": "/run/flags", "readOnly": True},
        {"name": "product-flags", "optional": True},
        "/run/flags/flags.json",
    )


def test_limits_are_told_to_the_instance_in_its_units(rendered):
    """Which reports its use as a share of them."""
    limits = {"cpu": "500m", "memory": "1Gi"}
    (told,) = of_kind(rendered(part="slot", resources={"limits": limits}), "ConfigMap")

    assert (told["data"]["PLATFORM_CPU_LIMIT"], told["data"]["PLATFORM_MEMORY_LIMIT_MB"]) == (
        "0.5",
        "1024",
    )


@pytest.mark.parametrize(("settle", "drain", "grace"), [(3, 30, 37), (0, 0, 4), (5, 0.5, 10)])
def test_a_pod_is_given_the_time_that_its_stop_takes(rendered, settle, drain, grace):
    """And without times it is ended as any other: a negative control."""
    (deployment,) = of_kind(
        rendered(part="slot", settleSeconds=settle, drainSeconds=drain), "Deployment"
    )
    pod = deployment["spec"]["template"]["spec"]
    hook = {"preStop": {"sleep": {"seconds": settle}}} if settle else None

    assert pod["terminationGracePeriodSeconds"] == grace
    assert pod["containers"][0].get("lifecycle") == hook


def test_only_a_service_with_needs_has_a_way_to_the_internal_gateway(rendered):
    """All in come through Gateways: no pod of another service is let in."""
    (order,) = of_kind(rendered(service="order", part="service"), "NetworkPolicy")
    (auth,) = of_kind(rendered(service="auth", part="service"), "NetworkPolicy")

    def ports(policy):
        return [[each["port"] for each in rule["ports"]] for rule in policy["spec"]["egress"]]

    assert ports(order) == [[53, 53], [5432], [8081]]
    assert ports(auth) == [[53, 53], [5432]]
    assert [[each["port"] for each in rule["ports"]] for rule in order["spec"]["ingress"]] == [
        ["http"],
        ["admin"],
    ]


def test_addresses_outside_the_cluster_take_the_place_of_namespaces(rendered):
    """A managed PostgreSQL, and a load balancer that sends to pods itself."""
    values = {"database": {"cidrs": ["10.1.0.0/16"]}, "gateway": {"cidrs": ["10.2.0.0/16"]}}
    (policy,) = of_kind(rendered(part="service", **values), "NetworkPolicy")
    first, *_ = policy["spec"]["ingress"]

    assert policy["spec"]["egress"][1]["to"] == [{"ipBlock": {"cidr": "10.1.0.0/16"}}]
    assert {"ipBlock": {"cidr": "10.2.0.0/16"}} in first["from"]


def test_a_service_monitor_is_there_where_it_is_wanted(rendered):
    """On the pods' admin port, which is in no Service."""
    (monitor,) = of_kind(rendered(part="slot", environment="prod"), "ServiceMonitor")

    assert monitor["spec"]["endpoints"] == [{"targetPort": "admin", "path": "/metrics"}]
    assert of_kind(rendered(part="slot"), "ServiceMonitor") == []


def test_internal_paths_lead_nowhere_on_the_public_gateway_only(rendered):
    """A longer match, to where the service has nothing."""
    public, internal = of_kind(rendered(part="all"), "HTTPRoute")
    _, hidden = public["spec"]["rules"]
    paths = [match["path"]["value"] for match in hidden["matches"]]

    assert paths == [
        f"/product/api/{version}/{path}"
        for version in ("v1", "v2", "v3")
        for path in ("events", "inventory", "reservations")
    ]
    assert hidden["filters"][0]["urlRewrite"]["path"]["replaceFullPath"] == "/not-found"
    assert len(internal["spec"]["rules"]) == 1


@pytest.fixture
def route(programs, namespace):
    """Have an HTTPRoute `product` in the namespace, with an annotation."""

    def route(annotation):
        body = {
            "apiVersion": "gateway.networking.k8s.io/v1",
            "kind": "HTTPRoute",
            "metadata": {"name": "product", "namespace": namespace, "annotations": annotation},
            "spec": {"parentRefs": [{"name": "nowhere"}]},
        }
        programs("kubectl", "apply", "-f", "-", stdin=json.dumps(body)).taken()

    yield route
    programs("kubectl", "delete", "httproute", "product", "-n", namespace).taken()


@pytest.mark.parametrize(
    ("annotation", "refused"), [({"deployer/live": "blue"}, True), ({}, False)]
)
def test_a_whole_installation_keeps_off_what_the_deployer_has(
    helm, namespace, route, annotation, refused
):
    """Its routes are the deployer's; anybody else's may be written over."""
    route(annotation)
    said = helm("template", *VERSION, "--dry-run=server", "--namespace", namespace, part="all")

    assert (said.code != 0) is refused
    assert ("the deployer moves the traffic of product" in said.err) is refused


@pytest.mark.parametrize("profile", ["", *SERVICES])
def test_helm_takes_the_calls_of_skaffold(programs, namespace, profile):
    """Its very arguments, against the API server."""
    images = {service: IMAGE.replace("product", service) for service in SERVICES}
    for release in helm_releases(profile, images=images):
        words = ("--namespace", namespace, "--dry-run=server")
        said = programs("helm", "install", *release.arguments, *words)

        assert f"NAME: {release.name}\n" in said.taken()
