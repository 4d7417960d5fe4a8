"""Who may do what: the identities of the chart `environment`, as the API server decides."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from helm import CHARTS, Environment
from testbed import Cluster
from testbed.failures import PartFailedError

from deployer import cluster as api
from deployer.commands.doctor import cluster as doctor
from deployer.environment import load_environment
from deployer.errors import OperationError
from deployer.rights import (
    GATEWAY_RIGHTS,
    MONITOR_RIGHTS,
    SERVICE_RIGHTS,
    Right,
    count,
    missing,
    require_rights,
    router_rights,
)

pytestmark = pytest.mark.cluster
REPOSITORY = CHARTS.parent
SETS = (
    "services.product=product-dev,services.user=user-dev",
    "serviceMonitors=true",
)


@pytest.fixture(scope="module")
def environment(cluster: Cluster) -> Iterator[Environment]:
    """An environment with two services, and no release of them."""
    made = Environment(cluster, f"t{secrets.token_hex(3)}", ("product", "order"))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture
def product(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> api.Cluster:
    """The cluster as product's pipeline sees it."""
    namespace = environment.namespace("product")
    identity = environment.identity(namespace, "pipeline", tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(identity))
    return api.Cluster.connect(patience_seconds=5)


def rendered(cluster: Cluster, chart: str, *words: str) -> list[dict]:
    """A chart's objects as Helm renders them."""
    text = cluster.run("helm", "template", chart, str(CHARTS / chart), *words)
    return [each for each in yaml.safe_load_all(text) if each]


def rights_of(role: dict) -> set[Right]:
    """A Role's rules, a right a resource, with the verbs in one order."""
    return {
        Right(group, resource, tuple(sorted(rule["verbs"])), name)
        for rule in role["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for name in rule.get("resourceNames", [""])
    }


def in_order(*rights: Right) -> set[Right]:
    return {replace(right, verbs=tuple(sorted(right.verbs))) for right in rights}


def test_the_chart_grants_what_the_deployer_asks_for_and_no_more(cluster: Cluster):
    """One table, in Python and in YAML; and nothing that would reach the whole cluster."""
    words = [word for each in SETS for word in ("--set", each)]
    objects = rendered(cluster, "environment", "--namespace", "default", *words)
    roles = {
        each["metadata"]["namespace"]: rights_of(each) for each in objects if each["kind"] == "Role"
    }
    service = in_order(*SERVICE_RIGHTS, *MONITOR_RIGHTS)

    assert roles == {
        "product-dev": service,
        "user-dev": service,
        "platform-dev": in_order(*GATEWAY_RIGHTS, *router_rights("traefik:metrics")),
    }
    assert not [each for each in objects if each["kind"].startswith("ClusterRole")]


def test_without_scraping_and_monitors_their_rights_are_gone(cluster: Cluster):
    """What an environment does not need, nobody has."""
    one = ("--set", "services.product=product-dev", "--set", "router=")
    objects = rendered(cluster, "environment", *one)
    roles = {
        each["metadata"]["namespace"]: rights_of(each) for each in objects if each["kind"] == "Role"
    }

    assert roles == {
        "product-dev": in_order(*SERVICE_RIGHTS),
        "platform-dev": in_order(*GATEWAY_RIGHTS),
    }


def test_a_pipeline_may_all_in_its_own_namespace_and_nothing_in_another(
    environment: Environment, product: api.Cluster
):
    """The API server says so of each verb, and does so of a request."""
    own, other = environment.namespace("product"), environment.namespace("order")
    secrets_of = "/api/v1/namespaces/{0}/secrets"
    with pytest.raises(OperationError) as refused:
        require_rights(product, other, SERVICE_RIGHTS)
    with pytest.raises(OperationError) as forbidden:
        product.list(secrets_of.format(other))

    assert missing(product, own, SERVICE_RIGHTS) == ()
    assert len(missing(product, other, SERVICE_RIGHTS)) == count(SERVICE_RIGHTS)
    assert (refused.value.code, forbidden.value.code) == ("rights-missing", "forbidden")
    assert product.list(secrets_of.format(own)) == ()


@pytest.mark.parametrize(
    ("resource", "verb"),
    [
        ("secrets", "list"),
        ("pods", "list"),
        ("configmaps", "get"),
        ("deployments.apps", "patch"),
        ("gateways.gateway.networking.k8s.io", "patch"),
        ("services/other:metrics", "get"),
    ],
)
def test_a_pipeline_may_little_in_the_platforms_namespace(
    environment: Environment, resource: str, verb: str, product: api.Cluster
):
    """It reads the Gateways and the router's page, and not the passwords that lie beside them."""
    kind, _, group = resource.partition(".")
    kind, _, name = kind.partition("/")
    table = (Right(group, f"{kind}/proxy" if name else kind, (verb,), name=name),)
    allowed = (*GATEWAY_RIGHTS, *router_rights("traefik:metrics"))

    assert missing(product, environment.platform, table) != ()
    assert missing(product, environment.platform, allowed) == ()


@pytest.mark.parametrize(
    "right",
    [
        Right("rbac.authorization.k8s.io", "rolebindings", ("create",)),
        Right("rbac.authorization.k8s.io", "roles", ("patch",)),
        Right("", "serviceaccounts/token", ("create",)),
        Right("", "pods/exec", ("create",)),
        Right("", "resourcequotas", ("delete",)),
        Right("", "secrets", ("deletecollection",)),
    ],
    ids=lambda right: f"{right.verbs[0]}-{right.resource.replace('/', '-')}",
)
def test_a_pipeline_can_not_give_itself_more(
    environment: Environment, right: Right, product: api.Cluster
):
    """Not in its own namespace either."""
    assert missing(product, environment.namespace("product"), (right,)) != ()


def test_the_watcher_may_in_every_services_namespace(
    environment: Environment, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """It takes over whatever service's rollout was left behind; elsewhere it may nothing."""
    kubectl = environment.cluster.kubectl
    kubectl("create", "serviceaccount", "deployer", "--namespace", environment.platform)
    identity = environment.identity(environment.platform, "deployer", tmp_path / "kubeconfig")
    monkeypatch.setenv("KUBECONFIG", str(identity))
    watcher = api.Cluster.connect(patience_seconds=5)

    for service in environment.services:
        assert missing(watcher, environment.namespace(service), SERVICE_RIGHTS) == ()
    assert missing(watcher, environment.platform, GATEWAY_RIGHTS) == ()
    assert len(missing(watcher, "default", SERVICE_RIGHTS)) == count(SERVICE_RIGHTS)


def test_the_doctor_sees_with_a_pipelines_identity(
    environment: Environment, product: api.Cluster, tmp_path: Path
):
    """All that it looks at needs no more rights than a rollout: only the database is missing here."""
    policy = f"""
target = "kubernetes"
[kubernetes]
registry = "{environment.cluster.registry}"
public_url = "{environment.cluster.public_url}"
probe_url = "{environment.cluster.internal_url}"
router = "platform-{{environment}}/traefik:metrics"
metrics = "prometheus"
prometheus_url = "{environment.cluster.public_url}"
"""
    (tmp_path / f"{environment.name}.toml").write_text(policy)
    loaded = load_environment(tmp_path, environment.name)
    found = {each.subject: each for each in doctor.examine(loaded, ("product",))}
    other = {each.subject: each for each in doctor.examine(loaded, ("order",))}
    amiss = {subject for subject, each in found.items() if not each.ok}

    # The programs are this machine's, and there is no Prometheus behind the Gateway.
    assert amiss - {"helm", "docker", "skaffold", "metrics"} == {"secret product-database"}
    assert {"Gateway public", "Gateway internal", "Gateway API", "cluster"} <= set(found)
    assert not other[f"rights in {environment.namespace('order')}"].ok


def test_namespaces_stay_when_the_chart_is_uninstalled(cluster: Cluster):
    """A release's ledger and its data are not lost with a Helm release; they are taken on again."""
    made = Environment(cluster, f"t{secrets.token_hex(3)}", ("product",))
    try:
        made.up()
        cluster.run("helm", "uninstall", "environment", "--namespace", made.platform, "--wait")
        kept = cluster.kubectl("get", "namespace", made.namespace("product"), "--output", "name")
        made.up()
        labels = cluster.kubectl("get", "namespace", made.namespace("product"), "--show-labels")
    finally:
        made.down()

    assert kept.strip() == f"namespace/{made.namespace('product')}"
    assert "pod-security.kubernetes.io/enforce=restricted" in labels


@pytest.mark.parametrize("chart", ["environment", "postgresql", "deployer"])
def test_a_chart_passes_helms_lint(cluster: Cluster, chart: str):
    """Strictly, with the least that it needs."""
    more = ("--set", "image=deployer") if chart == "deployer" else ()

    assert "0 chart(s) failed" in cluster.run(
        "helm", "lint", "--strict", str(CHARTS / chart), *more
    )


@pytest.mark.parametrize(
    ("chart", "value", "text"),
    [
        ("environment", "environment=Dev_1", "does not match pattern"),
        ("environment", "nonsense=1", "nonsense"),
        ("environment", "services.product=x,services.order=x", "share the namespace x"),
        ("postgresql", "databases.postgres=x", "databases"),
        ("postgresql", "connections=5", "connections"),
        ("postgresql", "storage.size=much", "size"),
        ("deployer", "replicas=9", "replicas"),
        ("deployer", "image=", "image: the watcher's"),
    ],
)
def test_values_that_make_no_sense_are_refused(cluster: Cluster, chart: str, value: str, text: str):
    """By the schema, or by the template, before the API server sees anything."""
    with pytest.raises(PartFailedError) as refused:
        rendered(cluster, chart, "--set", value)

    assert text in str(refused.value)
