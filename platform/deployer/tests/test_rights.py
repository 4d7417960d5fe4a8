"""The rights of a pipeline: asked one by one, and refused by what they lack."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from paper_api import ApiServer

from deployer.cluster import Cluster
from deployer.errors import OperationError
from deployer.rights import (
    GATEWAY_RIGHTS,
    SERVICE_RIGHTS,
    Right,
    count,
    missing,
    require_rights,
    router_rights,
    summary,
)

pytestmark = pytest.mark.integration


@pytest.fixture
def server() -> Iterator[ApiServer]:
    with ApiServer() as opened:
        yield opened


@pytest.fixture
def cluster(server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Cluster:
    monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
    return Cluster.connect("paper", patience_seconds=1)


def test_each_verb_is_asked_about_by_itself(server: ApiServer, cluster: Cluster):
    """In its group, with the subresource apart and the name where the right has one."""
    lacking = missing(cluster, "platform-dev", (*GATEWAY_RIGHTS, *router_rights("traefik:metrics")))

    assert lacking == ()
    assert len(server.reviews) == 6
    assert {
        "namespace": "platform-dev",
        "group": "",
        "resource": "services",
        "subresource": "proxy",
        "verb": "get",
        "name": "traefik:metrics",
    } in server.reviews


def test_what_is_missing_comes_in_the_order_of_the_table(server: ApiServer, cluster: Cluster):
    """However the answers came, and nothing beside."""
    server.forbidden = {
        ("product-dev", "create", "jobs"),
        ("product-dev", "get", "pods/log"),
        ("order-dev", "get", "secrets"),
    }
    lacking = missing(cluster, "product-dev", SERVICE_RIGHTS)

    assert [str(each) for each in lacking] == ["get pods/log", "create jobs.batch"]
    assert len(server.reviews) == count(SERVICE_RIGHTS)


def test_whoever_lacks_a_right_is_refused_with_all_of_them(server: ApiServer, cluster: Cluster):
    """The first few in the cause, every one below; with all rights nothing is said."""
    require_rights(cluster, "order-dev", SERVICE_RIGHTS)
    verbs = ("get", "list", "create", "patch", "delete")
    server.forbidden = {("order-dev", verb, "deployments") for verb in verbs}
    with pytest.raises(OperationError) as raised:
        require_rights(cluster, "order-dev", SERVICE_RIGHTS)

    assert raised.value.code == "rights-missing"
    assert raised.value.cause == (
        "in order-dev this identity may not get deployments.apps, list deployments.apps,"
        " create deployments.apps and 2 more"
    )
    assert raised.value.details == tuple(f"{verb} deployments.apps" for verb in verbs)


def test_the_namespace_itself_is_asked_for_by_its_name(server: ApiServer, cluster: Cluster):
    """A Role may let one read its own, which is not all of them."""
    missing(cluster, "product-dev", (Right("", "namespaces", ("get",)),))

    assert [review["name"] for review in server.reviews] == ["product-dev"]


def test_a_summary_of_few_leaves_none_out(server: ApiServer, cluster: Cluster):
    """`and 0 more` is never said."""
    server.forbidden = {("product-dev", verb, "leases") for verb in ("get", "create", "update")}
    lacking = missing(cluster, "product-dev", SERVICE_RIGHTS)

    assert summary(lacking).count("leases.coordination.k8s.io") == 3
    assert "more" not in summary(lacking)


def test_no_right_is_in_the_table_twice():
    """Each resource has one line."""
    named = [(right.group, right.resource) for right in SERVICE_RIGHTS]

    assert len(named) == len(set(named))
