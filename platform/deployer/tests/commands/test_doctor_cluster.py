"""The doctor on an environment in a cluster: each thing that may be amiss, and what mends it."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner
from paper_api import ApiServer
from programs_on_path import script

from deployer import rights
from deployer.cli.main import program
from deployer.commands.doctor import Finding, examine

pytestmark = pytest.mark.integration
API = "/apis/gateway.networking.k8s.io/v1"
GATEWAYS = f"{API}/namespaces/platform-dev/gateways"
PROXY = "/api/v1/namespaces/platform-dev/services/traefik:metrics/proxy/metrics"
NAMESPACE = "/api/v1/namespaces/product-dev"
SECRET = f"{NAMESPACE}/secrets/product-database"
TARGET = {"services", "rollouts", "product"}
ENVIRONMENT = """
target = "kubernetes"

[kubernetes]
registry = "{0}"
public_url = "http://{0}"
probe_url = "http://{0}"
"""


def gateway(*, accepted: str = "True", programmed: str = "True") -> dict[str, object]:
    conditions = [
        {"type": "Accepted", "status": accepted, "reason": "Accepted", "message": ""},
        {"type": "Programmed", "status": programmed, "reason": "NoRoom", "message": "no such port"},
    ]
    return {"spec": {"gatewayClassName": "traefik"}, "status": {"conditions": conditions}}


def healthy() -> dict[str, object]:
    """Everything as it should be."""
    return {
        "/": b"",
        "/v2/": {},
        "/version": {"gitVersion": "v1.34.4"},
        API: {"resources": [{"kind": "Gateway"}, {"kind": "HTTPRoute"}]},
        f"/openapi/v3{API}": {"enum": ["RequestHeaderModifier", "ResponseHeaderModifier"]},
        f"{GATEWAYS}/public": gateway(),
        f"{GATEWAYS}/internal": gateway(),
        PROXY: b"# TYPE traefik_config_reloads_total counter\n",
        NAMESPACE: {"metadata": {"labels": {"deployer/environment": "dev"}}},
        SECRET: {"data": {"url": ""}},
    }


@dataclass(frozen=True)
class World:
    """A checkout with the environment `dev`, a cluster on paper, and programs that tell versions."""

    checkout: Path
    server: ApiServer
    bin: Path

    def findings(self) -> dict[str, Finding]:
        """What is amiss, by subject; not what the target itself says of a cluster on paper."""
        found = examine("dev", self.checkout)
        return {each.subject: each for each in found if not each.ok and each.subject not in TARGET}


@pytest.fixture
def world(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """A healthy one."""
    folder = tmp_path / "bin"
    for name, version in (("helm", "v3.19"), ("docker", "28.2.2"), ("skaffold", "v2.18.0")):
        script(folder, name, says=version)
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    with ApiServer() as server:
        server.pages = healthy()
        monkeypatch.setenv("KUBECONFIG", str(server.kubeconfig(tmp_path / "kubeconfig")))
        (checkout / "environments/dev.toml").write_text(ENVIRONMENT.format(server.address))
        yield World(checkout, server, folder)


def test_nothing_is_amiss_where_all_is_there(world: World):
    """Every right was asked about, in the service's namespace and the platform's."""
    amiss = world.findings()
    asked = len(world.server.reviews)
    platform = rights.count((*rights.GATEWAY_RIGHTS, *rights.router_rights("traefik:metrics")))

    assert amiss == {}
    assert asked == rights.count(rights.SERVICE_RIGHTS) + platform


FAULTS: list[tuple[str, object, str, str, str]] = [
    # a path, what it answers instead (None: nothing), and the finding's subject, text and hint
    ("/version", {"gitVersion": "v1.28.9"}, "cluster", "v1.28.9 at", "1.29.0 or later"),
    (API, None, "Gateway API", "no Gateway and no HTTPRoute v1", "install its CRDs"),
    (API, {"resources": [{"kind": "Gateway"}]}, "Gateway API", "no HTTPRoute v1", "install its"),
    (f"/openapi/v3{API}", {"enum": []}, "Gateway API", "no ResponseHeaderModifier", "v1.1 or"),
    (f"{GATEWAYS}/public", None, "Gateway public", "not in platform-dev", "deployer up --env dev"),
    (
        f"{GATEWAYS}/internal",
        gateway(programmed="False"),
        "Gateway internal",
        "not Programmed: no such port",
        "kubectl --namespace platform-dev describe gateway internal",
    ),
    (
        f"{GATEWAYS}/public",
        gateway(accepted="Unknown"),
        "Gateway public",
        "not Accepted: Accepted",
        "of the class traefik",
    ),
    (
        f"{GATEWAYS}/public",
        {"spec": {"gatewayClassName": "none"}},
        "Gateway public",
        "not Accepted: no controller has said so; not Programmed: no controller",
        "of the class none",
    ),
    ("/v2/", (500, b""), "registry", "answers 500", "set another `registry`"),
    (PROXY, None, "metrics", "platform-dev/traefik:metrics is not there", "set `router`"),
    (NAMESPACE, None, "namespace product-dev", "is not there", "deployer up --env dev"),
    (NAMESPACE, {"metadata": {}}, "namespace product-dev", "lacks its label", "deployer up"),
    (SECRET, None, "secret product-database", "not in product-dev", "create secret generic"),
    (SECRET, {"data": {}}, "secret product-database", "product-dev", "--from-file=url=FILE"),
]


@pytest.mark.parametrize(
    ("path", "page", "subject", "text", "hint"), FAULTS, ids=lambda value: str(value)[:40]
)
def test_each_fault_is_one_finding(  # a row of the table
    world: World, path: str, page: object, subject: str, text: str, hint: str
):
    """With what mends it, and nothing else is blamed."""
    world.server.pages[path] = page
    if page is None:
        del world.server.pages[path]
    amiss = world.findings()

    assert set(amiss) == {subject}
    assert text in amiss[subject].text
    assert hint in amiss[subject].hint


def test_what_an_identity_may_not_is_named(world: World):
    """And the looks that would fail for the same reason are left out."""
    world.server.forbidden = {
        ("product-dev", "delete", "pods"),
        ("platform-dev", "get", "gateways"),
    }
    amiss = world.findings()

    assert set(amiss) == {"rights in product-dev", "rights in platform-dev"}
    assert amiss["rights in product-dev"].text == "may not delete pods"
    assert "identity of that service's pipeline" in amiss["rights in product-dev"].hint


def test_one_service_is_examined_alone(world: World):
    """A pipeline's identity sees its own namespace, and no other is asked about."""
    (world.checkout / "services/order").mkdir()
    (world.checkout / "services/order/pyproject.toml").write_text("[project]\nversion = '1.0.0'\n")
    both = {each.subject for each in examine("dev", world.checkout)}
    world.server.reviews.clear()
    one = {each.subject for each in examine("dev", world.checkout, service="product")}

    assert {"rights in product-dev", "rights in order-dev"} <= both
    assert "rights in order-dev" not in one
    assert {review["namespace"] for review in world.server.reviews} == {
        "product-dev",
        "platform-dev",
    }


def test_a_service_that_there_is_not_is_a_finding(world: World):
    """With the nearest name, and nobody is asked."""
    found = examine("dev", world.checkout, service="prodcut")

    assert not found[-1].ok
    assert found[-1].hint == "did you mean product?"
    assert world.server.reviews == []


@pytest.mark.parametrize(
    ("name", "says", "text"),
    [
        ("helm", "v3.13.0", "helm is 3.13.0, and 3.14.0 is the oldest"),
        ("docker", "", "docker does not tell its version"),
        ("skaffold", "v2.1.0", "skaffold is 2.1.0, and 2.13.0 is the oldest"),
    ],
)
def test_a_program_that_will_not_do_is_a_finding(world: World, name: str, says: str, text: str):
    """Too old, or without an engine behind it."""
    script(world.bin, name, says=says)
    amiss = world.findings()

    assert set(amiss) == {name}
    assert amiss[name].text.startswith(text)


def test_skaffold_may_be_missing_and_helm_may_not(world: World, monkeypatch: pytest.MonkeyPatch):
    """Images are built without it too."""
    for name in ("helm", "skaffold"):
        (world.bin / name).unlink()
    monkeypatch.setenv("PATH", f"{world.bin}{os.pathsep}/bin")
    if any(Path("/bin", name).exists() for name in ("helm", "skaffold")):
        pytest.skip("this machine has a helm or a skaffold in /bin")  # where git and sh are, too
    amiss = world.findings()

    assert set(amiss) == {"helm"}


def amend(world: World, change: Callable[[str], str]) -> None:
    path = world.checkout / "environments/dev.toml"
    path.write_text(change(path.read_text()))


def test_a_registry_that_is_not_set_or_not_there_is_a_finding(world: World):
    """Before anything was built for it."""
    amend(world, lambda text: text.replace(f'registry = "{world.server.address}"', ""))
    unset = world.findings()["registry"]
    amend(world, lambda text: f'{text}\nregistry = "127.0.0.1:1/shop"\n')
    away = world.findings()["registry"]

    assert (unset.text, unset.hint[:14]) == ("none is set", "set `registry`")
    assert away.text.startswith("127.0.0.1:1/shop does not answer: ")


def test_a_gateway_that_is_not_reached_from_here_is_a_finding(world: World):
    """However well the cluster thinks of it."""
    public = f'public_url = "http://{world.server.address}"'
    amend(world, lambda text: text.replace(public, 'public_url = "http://127.0.0.1:1"'))
    amiss = world.findings()

    assert set(amiss) == {"public_url"}
    assert amiss["public_url"].text.startswith("http://127.0.0.1:1 does not answer: ")


@pytest.mark.parametrize(("page", "amiss"), [({}, set()), ((503, b""), {"metrics"})])
def test_prometheus_is_asked_where_it_is_the_source(world: World, page: object, amiss: set[str]):
    """And then no right on the router's page is wanted."""
    more = f'metrics = "prometheus"\nprometheus_url = "http://{world.server.address}"\n'
    amend(world, lambda text: text + more)
    world.server.pages["/api/v1/query"] = page
    world.server.forbidden = {("platform-dev", "get", "services/proxy")}

    assert set(world.findings()) == amiss


@pytest.mark.parametrize(
    ("kubeconfig", "text"),
    [("{}", "no context"), (None, "there is no kubeconfig"), ("away", "does not answer")],
)
def test_a_cluster_that_can_not_be_asked_is_a_finding(
    world: World,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    kubeconfig: str | None,
    text: str,
):
    """One, and nothing that hangs on it is looked at."""
    path = tmp_path / "other"
    if kubeconfig == "away":
        world.server.kubeconfig(path)
        path.write_text(path.read_text().replace(world.server.address, "127.0.0.1:1"))
    elif kubeconfig:
        path.write_text(kubeconfig)
    monkeypatch.setenv("KUBECONFIG", str(path))
    amend(world, lambda toml: toml + ('context = "elsewhere"\n' if kubeconfig == "{}" else ""))
    amiss = world.findings()

    assert set(amiss) == {"cluster"}
    assert text in amiss["cluster"].text
    assert world.server.reviews == []


def test_the_command_takes_a_service_and_ends_with_1(world: World, monkeypatch: pytest.MonkeyPatch):
    """Findings as data, for a pipeline that asks first."""
    monkeypatch.chdir(world.checkout)
    world.server.forbidden = {("product-dev", "create", "jobs")}
    done = CliRunner().invoke(program, ("doctor", "product", "--env", "dev", "--json"))
    found = {each["subject"]: each for each in json.loads(done.stdout)}

    assert done.exit_code == 1
    assert found["rights in product-dev"]["text"] == "may not create jobs.batch"
